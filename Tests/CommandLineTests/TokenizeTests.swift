import StrictJSON
import TestSupport
import Testing

/// Text to ids and back.
struct TokenizeTests {
  @Test(arguments: [
    "It is a truth universally acknowledged,", "", " ", "\n", "a\tb\r\n\r\n  c",
    "naïve café — “quotes” 日本語 🙂 e\u{301}", "1234567890 3.14", "<|endoftext|>",
  ])
  func `round trip`(_ text: String) throws {
    let ids = try Program.run(["tokenize", Repository.tinyQwen2], input: text).succeeded()
    let list = try #require(try JSONParser.parse(ids.output).array)
    #expect(ids.text.split(separator: "\n").count == 1)
    #expect(list.allSatisfy { (0..<2048).contains($0.int ?? -1) })
    #expect(list.isEmpty == text.isEmpty)
    let back = try Program.run(["tokenize", Repository.tinyQwen2, "--decode"], input: ids.text)
      .succeeded()
    #expect(back.output == Array(text.utf8))
  }

  @Test(arguments: ["", "{}", "[1, \"a\"]", "[1.5]", "1,2", "[1", "[[1]]"])
  func `what is no list of ids is refused`(_ text: String) throws {
    try Program.run(["tokenize", Repository.tinyQwen2, "--decode"], input: text)
      .refused(naming: "standard input", "JSON array of token ids")
  }

  @Test(arguments: ["[-1]", "[2048]", "[9223372036854775807]", "[1e300]"])
  func `ids outside of the vocabulary are no crash`(_ text: String) throws {
    let result = try Program.run(["tokenize", Repository.tinyQwen2, "--decode"], input: text)
    #expect([0, 2].contains(result.code), "\(result)")
  }

  @Test(arguments: ["not json", "{\"version\":\"1.0\"}", "{\"model\":{\"type\":\"Bloom\"}}", ""])
  func `an unreadable tokenizer is refused with its file`(_ text: String) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("m"))
    try directory.write("m/tokenizer.json", text)
    try Program.run(["tokenize", directory("m")], input: "a").refused(naming: "m/tokenizer.json")
    try Program.run("generate", directory("m"), "--prompt", "a")
      .refused(naming: "m/tokenizer.json")
  }

  @Test func `no tokenizer at all is refused with the names that were tried`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("m"))
    try Program.run(["tokenize", directory("m")], input: "a")
      .refused(naming: directory("m"), "tokenizer.json")
  }
}
