import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

/// A run that is killed at any point of a commit leaves what the next run can finish.
struct CommitTests {
  private let directory: TemporaryDirectory
  private var out: String { directory("out") }
  private let whole: [String: [UInt8]] = ["a": [1], "sub/b": [2, 3]]

  init() throws { directory = try TemporaryDirectory() }

  private static let steps: [CommitStep] = [.marked, .setAside, .moved, .oldRemoved, .workRemoved]

  /// What a kill looks like from inside: nothing more happens.
  private static let kill = CheckpointError.emptyFile(file: "killed")

  /// Writes the output as a run does that may be a resumed one; returns whether there was nothing
  /// left to do.
  private func run(
    resume: Bool = false, force: Bool = false, probe: CommitProbe = CommitProbe()
  ) throws -> Bool {
    let files = whole
    if resume,
      try OutputDirectory.isComplete(
        out, inputs: [], matches: { Set($0.files.map(\.name)) == Set(files.keys) })
    {
      return true
    }
    let output = try OutputDirectory(
      begin: out, fingerprint: ["v": "1"], resume: resume, force: force)
    try Data("x".utf8).write(to: URL(fileURLWithPath: output.workspace() + "/stream"))
    let finished = Set(output.finishedFiles.map(\.name))
    for (name, bytes) in whole.sorted(by: { $0.key < $1.key }) where !finished.contains(name) {
      try output.write(bytes, to: name)
    }
    if !finished.contains(Manifest.fileName) {
      let records = output.finishedFiles.sorted { $0.name < $1.name }
      let manifest = Manifest(
        tool: .init(name: "tests", version: "1"), source: [:], recipe: [:], files: records,
        tensors: [])
      try output.write(Array(manifest.json.pretty.utf8), to: Manifest.fileName)
    }
    try output.commit(probe)
    return false
  }

  /// Runs until `step`; false when the run never comes to it.
  private func runAndKill(
    at step: CommitStep, force: Bool, exchanging: Bool, before: @escaping () -> Void = {}
  ) throws -> Bool {
    let probe = CommitProbe(exchanges: exchanging) { reached in
      guard reached == step else { return nil }
      before()
      return Self.kill
    }
    do {
      _ = try run(force: force, probe: probe)
      return false
    } catch let error as CheckpointError where error == Self.kill {
      return true
    }
  }

  private func expectWhole(_ comment: Comment) throws {
    var tree = try directory.tree("")
    #expect(tree.removeValue(forKey: "out/manifest.json") != nil, comment)
    #expect(tree == whole.reduce(into: [:]) { $0["out/\($1.key)"] = $1.value }, comment)
    #expect(directory.names == ["out"], comment)
  }

  private func writeOld() throws {
    for name in ["old", "deep/old"] { try directory.write("out/\(name)", "old") }
    try directory.writeManifest("out", of: ["old", "deep/old"])
  }

  @Test(arguments: [false, true], [false, true])
  func `resuming finishes it`(replacing: Bool, exchanging: Bool) throws {
    for step in Self.steps {
      if replacing { try writeOld() }
      let isKilled = try runAndKill(at: step, force: replacing, exchanging: exchanging)
      #expect(isKilled || !replacing && step == .setAside, "\(step)")
      _ = try run(resume: true)
      try expectWhole("\(step)")
      #expect(try run(resume: true), "complete then: \(step)")
      try FileManager.default.removeItem(atPath: out)
    }
  }

  @Test(arguments: [false, true], [false, true])
  func `force starts again`(replacing: Bool, exchanging: Bool) throws {
    for step in Self.steps {
      if replacing { try writeOld() }
      _ = try runAndKill(at: step, force: replacing, exchanging: exchanging)
      _ = try run(force: true)
      try expectWhole("\(step)")
      try FileManager.default.removeItem(atPath: out)
    }
  }

  @Test func `a plain run says what there is, and cleans up what can only be in the way`() throws {
    for step in Self.steps {
      try writeOld()
      _ = try runAndKill(at: step, force: true, exchanging: true)
      let error = checkpointError { _ = try run() }
      #expect(
        error == .partialExists(path: out + ".partial") || error == .outputExists(path: out),
        "\(step)")
      if error == .outputExists(path: out) { try expectWhole("\(step)") }
      _ = try run(resume: true)
      try expectWhole("\(step)")
      try FileManager.default.removeItem(atPath: out)
    }
  }

  @Test func `killed while the old output or the workspace is removed`() throws {
    for (step, file) in [
      (CommitStep.setAside, "out.spikingbrain-replaced/manifest.json"),
      (.setAside, "out.spikingbrain-replaced/old"), (.oldRemoved, "out/.work/stream"),
    ] {
      for resume in [true, false] {
        try writeOld()
        let path = directory(file)
        #expect(
          try runAndKill(at: step, force: true, exchanging: true) {
            try? FileManager.default.removeItem(atPath: path)
          })
        _ = try run(resume: resume, force: !resume)
        try expectWhole("\(file)")
        try FileManager.default.removeItem(atPath: out)
      }
    }
  }

  @Test func `a whole directory without a journal only lacks its name`() throws {
    _ = try run()
    try FileManager.default.moveItem(atPath: out, toPath: out + ".partial")
    #expect(throws: CheckpointError.partialExists(path: out + ".partial")) { try run() }
    #expect(try run(resume: true))
    try expectWhole("moved")
    // One that is not whole is no output.
    try FileManager.default.moveItem(atPath: out, toPath: out + ".partial")
    try directory.write("out.partial/a", "x")
    #expect(try !run(resume: true))
    try expectWhole("written again")
  }

  @Test func `an old output comes back when the new one never got its place`() throws {
    try writeOld()
    let old = try directory.tree("out")
    #expect(try runAndKill(at: .setAside, force: true, exchanging: false))
    #expect(!directory.names.contains("out"))
    #expect(throws: CheckpointError.partialExists(path: out + ".partial")) { try run() }
    #expect(try directory.tree("out") == old)
  }

  @Test func `a source that was changed is found before the rename`() throws {
    let source = try directory.write("in/source", "version 1")
    for text in ["version 2", "version 2, longer"] {
      try directory.write("in/source", "version 1")
      let map = try MappedFile(path: source)
      let output = try OutputDirectory(
        begin: out, fingerprint: [:], inputs: [directory("in"), source])
      try output.write(Array(map.bytes), to: "a")
      try overwrite(source, text)
      #expect(throws: CheckpointError.changedWhileRead(file: source)) { try output.commit() }
      output.abandon()
      #expect(directory.names == ["in"])
      withExtendedLifetime(map) {}
    }
  }

  @Test(arguments: ["replaced", "removed", "times"])
  func `a source that is another file then`(_ change: String) throws {
    let source = try directory.write("source", "version 1")
    let map = try MappedFile(path: source)
    let output = try OutputDirectory(begin: out, fingerprint: [:], inputs: [source])
    switch change {
    case "replaced":
      try directory.write("new", "version 2")
      #expect(rename(directory("new"), source) == 0)
    case "removed": #expect(unlink(source) == 0)
    default:
      // Written over in place, with the old time put back.
      let time = try FileManager.default.attributesOfItem(atPath: source)[.modificationDate]
      try overwrite(source, "version 2")
      try FileManager.default.setAttributes(
        [.modificationDate: try #require(time)], ofItemAtPath: source)
    }
    #expect(throws: CheckpointError.changedWhileRead(file: source)) { try output.commit() }
    withExtendedLifetime(map) {}
  }

  @Test func `an output is complete until its inputs are newer`() throws {
    let source = try directory.write("source", "x")
    _ = try run()
    #expect(try OutputDirectory.isComplete(out, inputs: [source], matches: { _ in true }))
    #expect(try !OutputDirectory.isComplete(out, inputs: [source], matches: { _ in false }))
    try FileManager.default.setAttributes(
      [.modificationDate: Date() + 10], ofItemAtPath: source)
    #expect(try !OutputDirectory.isComplete(out, inputs: [source], matches: { _ in true }))
  }

  @Test func `files are no more readable than the least readable input`() throws {
    let source = try directory.write("source", "x"), text = try directory.write("text", "x")
    #expect(chmod(source, 0o600) == 0 && chmod(text, 0o644) == 0)
    let output = try OutputDirectory(begin: out, fingerprint: [:], inputs: [source, text])
    try output.write([1], to: "a")
    let work = try output.workspace()
    func mode(_ path: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try mode(work) == 0o700)
    try output.commit()
    #expect(try mode(out + "/a") == 0o600)
  }
}

extension TemporaryDirectory {
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}
