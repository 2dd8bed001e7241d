import Foundation
import TestSupport
import Testing

/// Single files that commands write: never over what somebody else wrote.
struct OutputFilesTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try Files.copy(Repository.tinyQwen2, to: directory("ck"))
  }

  private func logits(_ output: String, _ options: String...) throws -> Program.Result {
    try Program.run(
      ["logits", directory("ck"), "--tokens", "1,2", "--quiet", "--output", directory(output)]
        + options)
  }

  private func generate(_ options: String...) throws -> Program.Result {
    try Program.run(
      ["generate", directory("ck"), "--prompt", "It is", "--max-tokens", "1", "--quiet"] + options)
  }

  @Test(arguments: ["config.json", "model.safetensors", "tokenizer.json"])
  func `no input is overwritten, not even by force`(_ name: String) throws {
    let before = try Files.tree(directory("ck"))
    for option in ["--quiet", "--force"] {
      for result in [
        try logits("ck/" + name, option),
        try generate("--save-state", directory("ck/" + name), option),
      ] {
        #expect(result.code == 2 && result.output.isEmpty, "\(result)")
        #expect(result.error.contains("ck/" + name))
      }
    }
    #expect(link(directory("ck/" + name), directory("other")) == 0)
    try logits("other", "--force").refused(naming: "other", "it is the input")
    #expect(try Files.tree(directory("ck")) == before)
  }

  @Test func `a file of somebody else needs force`() throws {
    for name in ["notes.txt", "weights.safetensors"] {
      if name == "notes.txt" {
        try directory.write(name, "notes")
      } else {
        try Files.copy(directory("ck/model.safetensors"), to: directory(name))
      }
      let before = try Files.bytes(directory(name))
      try logits(name).refused(naming: name, "already exists", "--force")
      try generate("--save-state", directory(name)).refused(naming: name, "--force")
      #expect(try Files.bytes(directory(name)) == before)
      try logits(name, "--force").succeeded()
      // Logits are no state, and a state is worth more than them.
      try generate("--save-state", directory(name)).refused(naming: name, "--force")
      try generate("--save-state", directory(name), "--force").succeeded()
      try logits(name).refused(naming: name, "--force")
    }
    #expect(!directory.names.contains { $0.contains("partial") })
  }

  @Test func `own files are written again, a state over itself`() throws {
    for name in ["l.safetensors", "ck/l.safetensors"] {
      try logits(name).succeeded()
      try logits(name).succeeded()
    }
    for name in ["state", "ck/state"] {
      try generate("--save-state", directory(name)).succeeded()
      try generate("--state", directory(name), "--save-state", directory(name)).succeeded()
    }
  }

  @Test func `links and directories are no outputs`() throws {
    #expect(symlink(directory("ck/config.json"), directory("link")) == 0)
    let before = try Files.text(directory("ck/config.json"))
    try logits("link", "--force").refused(naming: "link", "symbolic link")
    try logits("ck", "--force").refused(naming: "ck", "not a file")
    #expect(try Files.text(directory("ck/config.json")) == before)
  }

  @Test func `an archive is no input either, and replaces what is there by force`() throws {
    try directory.write("a.sbz", "precious")
    try Program.run("pack", directory("ck"), directory("a.sbz")).refused(naming: "--force")
    #expect(try Files.text(directory("a.sbz")) == "precious")
    #expect(link(directory("ck/config.json"), directory("b.sbz")) == 0)
    try Program.run("pack", directory("ck"), directory("b.sbz"), "--force")
      .refused(naming: "b.sbz", "it is the input")
    try Program.run("pack", directory("ck"), directory("a.sbz"), "--force", "--quiet").succeeded()
  }

  @Test func `a full disk offers no resume where there is none`() throws {
    for arguments in [
      ["pack", directory("ck"), directory("a.sbz")],
      ["logits", directory("ck"), "--tokens", "1,2,3", "--output", directory("l")],
    ] {
      let result = try Program.run(after: "ulimit -f 1", arguments)
      result.refused(naming: "File too large", "run the same command again")
      #expect(!result.error.contains("--resume"))
      #expect(directory.names == ["ck"])
    }
  }
}
