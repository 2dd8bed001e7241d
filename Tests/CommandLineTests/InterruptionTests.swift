import Conversion
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Runs that are killed or run out of space leave only OUT.partial, and are finished with the same
/// bytes as a run that was not disturbed.
@Suite(.serialized) struct InterruptionTests {
  /// A checkpoint of 60 MB, made once.
  private final class Large: Sendable {
    static let shared = Result { try Large() }
    let directory: TemporaryDirectory
    let whole: [String: [UInt8]]
    let options = ["--shard-size", "3MB", "--quiet"]
    var source: String { directory("s") }

    init() throws {
      directory = try TemporaryDirectory()
      try TinyModel.llama.synthesize(
        to: directory("s"),
        [
          "hidden_size": 512, "intermediate_size": 1408, "vocab_size": 2000,
          "num_hidden_layers": 9,
        ], type: .bfloat16)
      try Program.run(["convert", directory("s"), directory("whole")] + options).succeeded()
      whole = try Files.tree(directory("whole"))
      // A static lives as long as the process, so nothing else would remove the files.
      atexit { try? Files.remove(Large.shared.get().directory.path) }
    }
  }

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Starts a conversion and waits until the shard `number` has been begun.
  private func start(_ large: Large, until number: Int) throws -> RunningProgram {
    let running = try RunningProgram(
      Program.path, ["convert", large.source, directory("out")] + large.options)
    let prefix = "model-0000\(number)-of-"
    while !running.hasEnded {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: directory("out.partial")))
      if names?.contains(where: { $0.hasPrefix(prefix) }) == true { break }
      usleep(200)
    }
    return running
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `killed at a seeded moment`(_ seed: UInt64) throws {
    let large = try Large.shared.get()
    var generator = SplitMix64(seed: seed, label: "kill")
    let running = try start(large, until: Int.random(in: 1...5, using: &generator))
    usleep(UInt32.random(in: 0...4000, using: &generator))
    let killed = try #require(running.kill())
    #expect(killed.code == -9, "the run was over before it was killed")
    #expect(directory.names == ["out.partial"])
    let again = try Program.run(["convert", large.source, directory("out")] + large.options)
    again.refused(naming: "out.partial", "--resume", "--force")
    try Program.run(["convert", large.source, directory("out"), "--resume"] + large.options)
      .succeeded()
    #expect(directory.names == ["out"])
    #expect(try Files.tree(directory("out")) == large.whole)
  }

  @Test func `killed again and again`() throws {
    let large = try Large.shared.get()
    for number in [2, 4, 6] {
      let running = try RunningProgram(
        Program.path,
        ["convert", large.source, directory("out"), "--resume"] + large.options)
      let prefix = "model-0000\(number)-of-"
      while !running.hasEnded {
        let names = try? FileManager.default.contentsOfDirectory(atPath: directory("out.partial"))
        if names?.contains(where: { $0.hasPrefix(prefix) }) == true { break }
        usleep(200)
      }
      _ = running.kill()
    }
    try Program.run(["convert", large.source, directory("out"), "--resume"] + large.options)
      .succeeded()
    #expect(try Files.tree(directory("out")) == large.whole)
  }

  @Test func `force starts a killed run again`() throws {
    let large = try Large.shared.get()
    _ = try start(large, until: 3).kill()
    try directory.write("out.partial/stray", "x")
    try Program.run(["convert", large.source, directory("out"), "--force"] + large.options)
      .succeeded()
    #expect(try Files.tree(directory("out")) == large.whole)
    #expect(directory.names == ["out"])
  }

  @Test func `other settings cannot resume`() throws {
    let large = try Large.shared.get()
    _ = try start(large, until: 3).kill()
    try Program.run(
      ["convert", large.source, directory("out"), "--resume", "--window", "9"] + large.options
    ).refused(naming: "out.partial", "recipe", "--force")
    #expect(directory.names == ["out.partial"])
  }

  @Test func `two runs cannot write one output`() throws {
    let large = try Large.shared.get()
    let first = try start(large, until: 1)
    for option in ["--quiet", "--resume", "--force"] where !first.hasEnded {
      let second = try Program.run([
        "convert", large.source, directory("out"), "--shard-size", "3MB", option,
      ])
      if Files.exist(directory("out.partial")) {
        second.refused(naming: "out.partial", "another process")
      }
    }
    try first.wait().succeeded()
    #expect(try Files.tree(directory("out")) == large.whole)
  }

  @Test func `a file size limit is a full disk`() throws {
    // The embedding (26 KB) fits, the feed-forward matrices (29 KB) do not.
    let source = directory("s"), out = directory("out")
    try TinyModel.llama.synthesize(to: source, ["vocab_size": 100])
    let arguments = ["convert", source, out, "--shard-size", "26KB", "--quiet"]
    try Program.run(["convert", source, directory("whole"), "--shard-size", "26KB", "--quiet"])
      .succeeded()
    let limited = try Program.run(after: "ulimit -f 28", arguments)
    limited.refused(naming: "out.partial/model-", "File too large", "--resume")
    #expect(directory.names == ["out.partial", "s", "whole"])
    // Still too little: nothing is lost.
    let more = arguments + ["--resume"]
    try Program.run(after: "ulimit -f 28", more).refused(naming: "File too large")
    try Program.run(more).succeeded()
    #expect(try Files.tree(out) == Files.tree(directory("whole")))
    #expect(directory.names == ["out", "s", "whole"])
  }

  @Test func `a limit that stops the first file leaves nothing`() throws {
    try TinyModel.llama.synthesize(to: directory("s"))
    let limited = try Program.run(
      after: "ulimit -f 20", ["convert", directory("s"), directory("out")])
    limited.refused(naming: "model.safetensors", "File too large")
    #expect(directory.names == ["s"])
  }
}
