import Conversion
import Foundation
import Foundations
import StepSettings
import StrictJSON
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
    let again = ["convert", large.source, directory("out"), "--force"] + large.options
    try directory.write("out.partial/stray", "x")
    try Program.run(again).refused(naming: "out.partial", "stray")
    try Files.remove(directory("out.partial/stray"))
    try Program.run(again).succeeded()
    #expect(try Files.tree(directory("out")) == large.whole)
    #expect(directory.names == ["out"])
  }

  @Test func `other settings cannot resume`() throws {
    let large = try Large.shared.get()
    _ = try start(large, until: 3).kill()
    try Program.run(
      ["convert", large.source, directory("out"), "--resume", "--window", "9"] + large.options
    ).refused(naming: "out.partial", "--window was 4096, is 9", "--force")
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

  @Test func `ended by a signal, it says how to go on`() throws {
    let large = try Large.shared.get()
    // On a busy machine a run may be over before it is ended; then another one is.
    var last: Program.Result?
    for _ in 0..<10 where last?.code ?? 0 == 0 {
      try? Files.remove(directory("out"))
      // SIGINT does the same, but whoever starts the tests may have it ignored.
      let running = try start(large, until: 1)
      running.send(SIGTERM)
      last = try running.wait()
    }
    let ended = try #require(last)
    #expect(ended.code == -Int(SIGTERM), "each run was over before it was ended")
    #expect(ended.errorLines.count { $0.contains("--resume") } == 1)
    #expect(directory.names == ["out.partial"])
  }

  @Test func `a source that changes meanwhile is found`() throws {
    let large = try Large.shared.get()
    let source = directory("s"), weights = directory("s/model.safetensors")
    for change in ["shorter", "other bytes"] {
      try Files.copy(large.source, to: source)
      let running = try RunningProgram(
        Program.path, ["convert", source, directory("out")] + large.options)
      while !running.hasEnded && !Files.exist(directory("out.partial")) { usleep(200) }
      if change == "shorter" {
        truncate(weights, 1000)
      } else {
        let handle = try #require(FileHandle(forWritingAtPath: weights))
        try handle.seek(toOffset: 30_000_000)
        try handle.write(contentsOf: Data(repeating: 1, count: 1000))
      }
      let ended = try running.wait()
      ended.refused(naming: "s/model.safetensors", "while it was read")
      #expect(!Files.exist(directory("out")))
      try Files.remove(source)
      if Files.exist(directory("out.partial")) { try Files.remove(directory("out.partial")) }
    }
  }

  @Test func `a complete output is complete for every command`() throws {
    let source = Repository.tinyQwen2, text = Repository.root + "/demo/war-and-peace-begin.txt"
    try Program.run("pack", source, directory("a.sbz"), "--quiet").succeeded()
    try Program.run("convert", source, directory("c"), "--window", "512", "--quiet").succeeded()
    let commands: [[String]] = [
      ["convert", source, directory("o"), "--window", "256"],
      [
        "heal", directory("c"), "--teacher", source, "--text", text, "--output", directory("o"),
        "--tokens", "1024", "--context", "128", "--method", "ridge",
      ],
      ["upcycle", directory("c"), directory("o"), "--experts", "2"],
      [
        "calibrate", directory("c"), directory("o"), "--text", text, "--samples", "1", "--context",
        "64",
      ],
      ["export", directory("c"), directory("o"), "--profile", "hf"],
      ["unpack", directory("a.sbz"), directory("o")],
      [
        "unpack", directory("a.sbz"), directory("o"), "--tensor", "model.embed_tokens.weight",
      ],
    ]
    for command in commands {
      try Program.run(command + ["--quiet"]).succeeded()
      let tree = try Files.tree(directory("o"))
      let again = try Program.run(command + ["--resume", "--quiet"]).succeeded()
      #expect(again.text == "\(directory("o")) is already complete\n", "\(command)")
      // Of another input it is not.
      let other = command.map { $0 == "64" ? "65" : $0 == "256" ? "255" : $0 == "2" ? "3" : $0 }
      if other != command {
        try Program.run(other + ["--resume", "--quiet"]).refused(naming: "o: already exists")
      }
      #expect(try Files.tree(directory("o")) == tree)
      try Files.remove(directory("o"))
    }
  }
}
