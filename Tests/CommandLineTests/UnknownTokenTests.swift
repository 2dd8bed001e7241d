import Foundation
import StrictJSON
import TestSupport
import Testing

/// A tokenizer with a token that the embedding has no row for, as every command that reads a text
/// meets it.
struct UnknownTokenTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try Program.run("convert", Repository.tinyQwen2, directory("c"), "--window", "512", "--quiet")
      .succeeded()
    try Program.run(
      "upcycle", Repository.tinyQwen2, directory("u"), "--experts", "2", "--quiet"
    ).succeeded()
    try FileManager.default.createDirectory(
      atPath: directory("s"), withIntermediateDirectories: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: Repository.tinyQwen2) {
      try Files.copy(Repository.tinyQwen2 + "/" + file, to: directory("s/" + file))
    }
    let line = "the lamp <pad> was lit\n"
    try directory.write("t.txt", String(repeating: line, count: 400))
  }

  /// Adds the token to all three tokenizers.
  private func add(_ id: Int) throws {
    for name in ["s", "c", "u"] {
      let path = directory(name + "/tokenizer.json")
      var object = try #require(JSONParser.parse(Files.bytes(path)).object)
      var tokens = (object["added_tokens"]?.array ?? []).filter { $0["content"]?.string != "<pad>" }
      tokens.append([
        "id": .int(id), "content": "<pad>", "single_word": .bool(false), "lstrip": .bool(false),
        "rstrip": .bool(false), "normalized": .bool(false), "special": .bool(true),
      ])
      object["added_tokens"] = .array(tokens)
      try directory.write(name + "/tokenizer.json", JSONValue.object(object).pretty)
    }
  }

  @Test(arguments: [2048, 4_000_000])
  func `every command names the token`(_ id: Int) throws {
    try add(id)
    let text = ["--text", directory("t.txt")], short = text + ["--context", "32"]
    let source = directory("s"), converted = directory("c"), out = directory("out")
    let commands = [
      ["heal", converted, "--teacher", source, "--output", out] + short,
      ["heal", converted, "--teacher", source, "--output", out, "--dry-run"] + short,
      [
        "heal", converted, "--teacher", source, "--output", out, "--method", "none",
        "--distill-steps", "1",
      ] + short,
      ["convert", source, out, "--attention-layers", "auto:2"] + short,
      ["upcycle", source, out, "--experts", "2", "--router", "clustered"] + short,
      ["upcycle", source, out, "--carve", "96", "--experts", "12"] + short,
      ["calibrate", converted, out, "--samples", "2"] + short,
      ["evaluate", converted] + short,
      ["evaluate", converted, "--recall", "2"] + short,
      ["report", converted, "--output", directory("r")] + short,
      ["generate", converted, "--prompt", "a <pad>"],
      ["inspect", directory("u")] + short,
    ]
    for command in commands {
      try Program.run(command).refused(naming: "token \(id)", "<pad>", "0 to 2047", "tokenizer")
    }
    #expect(directory.names == ["c", "s", "t.txt", "u"])
  }
}
