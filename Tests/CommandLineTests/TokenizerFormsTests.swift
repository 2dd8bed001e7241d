import StrictJSON
import TestSupport
import Testing

/// Tokenizers in forms that are not read: the tensors are none the worse for them.
struct TokenizerFormsTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
  }

  @Test(arguments: ["spiece.model", "tiktoken.model"])
  func `other files are named, carried along and noted`(_ name: String) throws {
    try directory.write("s/\(name)", "{}")
    try Program.run("generate", directory("s"), "--prompt", "a")
      .refused(naming: "found \(name)", "AutoTokenizer.from_pretrained")
    let converted = try Program.run("convert", directory("s"), directory("c"), "--json").json()
    #expect(converted["notes"]?.compact.contains("carried along as \(name)") == true)
    #expect(Files.exist(directory("c/\(name)")))
    try Program.run(["tokenize", directory("c")], input: "a").refused(naming: "found \(name)")
  }

  @Test func `SentencePiece's file alone is a tokenizer`() throws {
    let fixture = Repository.root + "/Tests/Fixtures/tokenizers/files/spm_llama/tokenizer.model"
    try Files.copy(fixture, to: directory("s/tokenizer.model"))
    try Program.run("convert", directory("s"), directory("c")).succeeded()
    let ids = try Program.run(["tokenize", directory("c")], input: "the end").succeeded().text
    #expect(try ids == Program.run(["tokenize", directory("s")], input: "the end").text)
  }

  @Test(arguments: ["tokenizer.model", "tekken.json"])
  func `a damaged one is refused, and its conversion says so`(_ name: String) throws {
    try directory.write("s/\(name)", "{}")
    try Program.run(["tokenize", directory("s")], input: "a").refused(naming: name)
    let converted = try Program.run("convert", directory("s"), directory("c"), "--json").json()
    #expect(converted["notes"]?.compact.contains("carried along as \(name)") == true)
  }

  @Test func `a source without one is noted`() throws {
    let converted = try Program.run("convert", directory("s"), directory("c"), "--json").json()
    #expect(converted["notes"]?.compact.contains("The source has no tokenizer") == true)
  }

  @Test(arguments: ["kimi-k2", nil])
  func `a GGUF file with a pattern of no known name`(_ pre: String?) throws {
    let unknown = try GGUFModel(directory("s"), as: "llama", pre: pre)
    try directory.write("g/m.gguf", unknown.writer.bytes)
    try Program.run(["tokenize", directory("g/m.gguf")], input: "a")
      .refused(naming: "m.gguf", "tokenizer.json beside the file")
    let converted = try Program.run("convert", directory("g"), directory("c"), "--json").json()
    #expect(converted["notes"]?.compact.contains("has no tokenizer") == true)
    #expect(!Files.exist(directory("c/tokenizer.json")))
    #expect(Files.exist(directory("c/generation_config.json")))
    // The advice can be followed.
    try directory.write("known/m.gguf", GGUFModel(directory("s"), as: "llama").writer.bytes)
    try Program.run("convert", directory("known"), directory("k")).succeeded()
    try Files.copy(directory("k/tokenizer.json"), to: directory("g/tokenizer.json"))
    try Program.run("convert", directory("g/m.gguf"), directory("d")).succeeded()
    let copied = try Files.bytes(directory("d/tokenizer.json"))
    #expect(try copied == Files.bytes(directory("g/tokenizer.json")))
    let ids = try Program.run(["tokenize", directory("g")], input: "the end").succeeded()
    #expect(try ids.text == Program.run(["tokenize", directory("d")], input: "the end").text)
  }

  @Test(arguments: ["{{ 2 ** 3 }}", "{{ messages[0].content + 1 }}", "{{ raise_exception('no') }}"])
  func `errors of a chat template name its file`(_ template: String) throws {
    try directory.write("s/tokenizer.json", Files.bytes(Repository.tinyQwen2 + "/tokenizer.json"))
    try directory.write("s/chat_template.jinja", template)
    let result = try Program.run("generate", directory("s"), "--prompt", "a", "--chat")
    result.refused(naming: "s/chat_template.jinja")
    #expect(!result.error.contains("tokenizer.json"))
  }

  /// A value takes many times the bytes it is written with: 10 MB here were 240 MB.
  @Test(arguments: [
    ("tokenizer.json", 5_000_000), ("config.json", 100_000), ("manifest.json", 5_000_000),
  ])
  func `documents of absurdly many values are refused`(_ name: String, _ count: Int) throws {
    try Program.run("convert", directory("s"), directory("c")).succeeded()
    let path = "c/\(name)"
    let text = name == "tokenizer.json" ? "{}" : try Files.text(directory(path))
    let end = try #require(text.lastIndex(of: "}"))
    try directory.write(
      path,
      text[..<end] + (text == "{}" ? "" : ",") + "\"x\":["
        + String(repeating: "0,", count: count) + "0]}")
    let verified = try Program.run(
      after: "ulimit -v 2000000",
      name == "tokenizer.json" ? ["tokenize", directory("c")] : ["verify", directory("c")])
    #expect([1, 2].contains(verified.code), "\(verified)")
    #expect((verified.text + verified.error).contains("JSON holds more than"))
  }
}
