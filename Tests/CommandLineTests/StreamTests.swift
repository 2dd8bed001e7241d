import Foundation
import Foundations
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// The three streams of the program when they are not what it would like.
struct StreamTests {
  private static let model = Repository.tinyQwen2

  @Test(arguments: [
    ["inspect", model, "--json"], ["inspect", model], ["verify", model, "--level", "structure"],
    ["verify", model, "--level", "structure", "--json"],
    ["generate", model, "--prompt", "a", "--max-tokens", "2"], ["tokenize", model],
    ["--help"], ["heal", "--help"], ["--version"],
  ])
  func `lost output is no success`(_ command: [String]) throws {
    for (setup, reason) in [
      ("exec > /dev/full", "No space left"), ("exec >&-", "Bad file descriptor"),
    ] {
      let result = try Program.run(after: "exec < /dev/null; " + setup, command)
      #expect(result.code == 2, "\(result)")
      #expect(result.error.contains("standard output: cannot be written"), "\(result)")
      #expect(result.error.contains(reason), "\(result)")
    }
  }

  @Test func `what a failed check says matters more than that nobody could read it`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.convert(Self.model, to: directory("c")) { _ in }
    try CheckpointEdit(directory("c")).overwrite("model.norm.weight", with: [UInt8(1)])
    #expect(try Program.run(after: "exec > /dev/full", ["verify", directory("c")]).code == 1)
  }

  @Test func `without descriptors nothing is written into a checkpoint`() throws {
    let directory = try TemporaryDirectory()
    let result = try Program.run(
      after: "exec <&- >&- 2>&-", ["convert", Self.model, directory("c")])
    #expect(result.code == 2)
    _ = try Program.run("verify", directory("c"), "--source", Self.model).succeeded()
  }

  @Test func `a reader that goes away ends a generation quietly`() throws {
    let program = try RunningProgram(
      "/bin/bash",
      [
        "-c", "\"$0\" generate \"$1\" --prompt The --max-tokens 1000000 | head -c 1", Program.path,
        Self.model,
      ])
    let result = try program.wait(seconds: 60)
    #expect(result.code == 0)
    #expect(result.output.count == 1)
    #expect(result.error.isEmpty)
  }

  @Test(arguments: [
    ("exec <&-", "standard input: cannot be read"), ("exec < /", "standard input: is a directory"),
    ("exec < /dev/zero", "standard input: is "),
    ("exec < <(printf 'ab\\377')", "byte 0xFF at offset 2"),
    ("exec < <(printf 'a\\0')", "NUL byte at offset 1"),
  ])
  func `standard input that is no text is refused`(_ setup: String, _ message: String) throws {
    let result = try Program.run(after: setup, ["tokenize", Self.model])
    #expect(result.code == 2, "\(result)")
    #expect(result.error.hasPrefix("error: "), "\(result)")
    #expect(result.error.contains(message), "\(result)")
  }

  @Test func `a text in another encoding is refused with its offset by every command`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.convert(Self.model, to: directory("c")) { _ in }
    let text = try directory.write(
      "t.txt", Array(String(repeating: "It is a truth. ", count: 99).utf8) + [0xE9, 0x20])
    let wide = try directory.write("w.txt", [0xFF, 0xFE] + [UInt8](repeating: 0x41, count: 999))
    let out = directory("o")
    for command in [
      ["evaluate", directory("c")], ["calibrate", directory("c"), out],
      ["heal", directory("c"), "--teacher", Self.model, "--output", out],
      ["convert", Self.model, out, "--attention-layers", "auto:2"],
      ["upcycle", Self.model, out, "--router", "clustered"],
      ["verify", directory("c"), "--level", "quality"],
      ["report", directory("c"), "--output", out],
    ] {
      try Program.run(command + ["--text", text])
        .refused(naming: text, "not UTF-8", "0xE9 at offset 1485", "iconv -f LATIN1")
      try Program.run(command + ["--text", wide]).refused(naming: wide, "iconv -f UTF-16")
      try Program.run(command + ["--text", "/dev/zero"]).refused(naming: "/dev/zero", "a device")
    }
    #expect(directory.names == ["c", "t.txt", "w.txt"])
  }

  @Test(arguments: ["/dev/zero", "pipe", "missing.txt", "sub"])
  func `a recipe's texts are looked at before its first step`(_ text: String) throws {
    let directory = try TemporaryDirectory()
    #expect(mkfifo(directory("pipe"), 0o600) == 0)
    try directory.write("sub/t.txt", "It is a truth.")
    let recipe = try directory.write(
      "r.yaml",
      "source: \(Self.model)\nsteps:\n  - convert\n  - heal:\n      text: \(text)\n")
    try Program.run("build", recipe, "--output", directory("o")).refused(naming: text)
    #expect(directory.names == ["pipe", "r.yaml", "sub"])
  }

  @Test func `a text may be standard input`() throws {
    let directory = try TemporaryDirectory()
    let text = "It is a truth universally acknowledged, that a single man is in want of a wife."
    let file = try directory.write("t.txt", text)
    func evaluate(_ text: String, input: String = "") throws -> Program.Result {
      try Program.run("evaluate", Self.model, "--text", text, "--json", input: input)
    }
    let expected = try evaluate(file)
    #expect(expected.code == 0)
    #expect(try evaluate("-", input: text).text == expected.text)
    #expect(try evaluate("-", input: "\u{feff}" + text).text == expected.text)
    try evaluate("-", input: "a\0b").refused(naming: "standard input", "NUL byte at offset 1")
    // What is checked first is read again.
    try TinyModel.convert(Self.model, to: directory("c")) { _ in }
    let healed = try Program.run(
      "heal", directory("c"), "--teacher", Self.model, "--text", "-", "--context", "8",
      "--method", "ridge", "--output", directory("h"), "--dry-run",
      input: String(repeating: text, count: 4))
    #expect(healed.code == 0, "\(healed)")
  }

  @Test func `a path that is no UTF-8 is named as what it is`() throws {
    let result = try Program.run(after: "set -- inspect $'m\\xff'", [])
    result.refused(naming: "no UTF-8", "rename")
  }

  @Test func `a tensor's name acts on no terminal`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("m"))
    let name = "x\u{1b}[2J\u{9b}1;1H\u{202e}\nok    structure: sound\nall checks passed\u{7f}"
    try CheckpointEdit(directory("m")).rewrite { $0.append(.init(name, shape: [1])) }
    for command in [
      ["verify", directory("m")], ["verify", directory("m"), "--json"],
      ["inspect", directory("m")],
      ["inspect", directory("m"), "--tensors", "--json"],
      ["convert", directory("m"), directory("o")],
      ["inspect", directory("m\u{1b}[2J")],
    ] {
      let result = try Program.run(command)
      let said = result.text + result.error
      #expect([1, 2].contains(result.code))
      #expect(said.unicodeScalars.allSatisfy { $0.isPrintable || $0 == "\n" }, "\(said)")
      #expect(!said.split(separator: "\n").contains { $0.hasPrefix("ok    structure: sound") })
      #expect(!said.split(separator: "\n").contains("all checks passed"))
    }
  }
}
