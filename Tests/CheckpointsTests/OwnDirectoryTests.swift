import Checkpoints
import Foundation
import TestSupport
import Testing

/// `--force` removes what this program wrote, and nothing that anybody else did.
struct OwnDirectoryTests {
  private let directory: TemporaryDirectory
  private var out: String { directory("out") }
  private var partial: String { directory("out.partial") }

  init() throws { directory = try TemporaryDirectory() }

  private func begin(resume: Bool = false, force: Bool = false) throws -> OutputDirectory {
    try OutputDirectory(begin: out, fingerprint: [:], resume: resume, force: force)
  }

  /// Finishes `a`, starts `sub/b`, and stops as a killed process would.
  private func interrupt() throws {
    let output = try begin()
    try output.write([1], to: "a")
    try output.file(named: "sub/b").write([2])
    _ = try output.workspace()
    try directory.write("out.partial/.work/stream", "x")
  }

  /// Expects that nothing is removed, for a reason that holds `words`.
  private func expectRefused(_ words: String, resume: Bool = false) throws {
    let before = try directory.tree("")
    let error = checkpointError { _ = try begin(resume: resume, force: !resume) }
    guard case .outputNotReplaceable(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(words), "\(reason)")
    #expect(try directory.tree("") == before)
  }

  @Test(arguments: [
    #"{"name":"my web app","start_url":"/"}"#, "{}", "[]", "", "{",
    #"{"format":"spikingbrain-manifest","version":3}"#,
  ])
  func `a manifest that is another program's`(_ manifest: String) throws {
    try directory.write("out/manifest.json", manifest)
    try directory.write("out/src/index.js", "code")
    try expectRefused("its manifest.json is not this program's")
  }

  @Test(arguments: ["notes.txt", "sub/notes.txt", ".hidden", "caf\u{e9}", "a/.git/HEAD"])
  func `an output with a file that is not listed`(_ name: String) throws {
    for file in ["a.txt", "sub/b"] { try directory.write("out/\(file)", "x") }
    try directory.create("out/cafe\u{301}")
    try directory.writeManifest("out", of: ["a.txt", "sub/b", "cafe\u{301}"])
    #expect(throws: Never.self) { try begin(force: true).abandon() }
    if name == "caf\u{e9}" {
      try directory.create("out/" + name)
    } else {
      try directory.write("out/\(name)", "theirs")
    }
    try expectRefused("it holds \(name), which this program did not write")
  }

  @Test func `an output with a directory that is not listed`() throws {
    try directory.writeManifest("out")
    try FileManager.default.createDirectory(
      atPath: directory("out/empty"), withIntermediateDirectories: true)
    try expectRefused("it holds empty/")
  }

  @Test func `a link to an output, a link that leads nowhere, a file`() throws {
    try directory.writeManifest("real")
    for target in [directory("real"), directory("nowhere")] {
      #expect(symlink(target, out) == 0)
      try expectRefused("it is a symbolic link")
      #expect(
        throws: CheckpointError.outputForeign(path: out, reason: "it is a symbolic link")
      ) { try begin() }
      #expect(unlink(out) == 0)
    }
    try directory.write("out", "x")
    try expectRefused("it is not a directory")
  }

  @Test(arguments: ["notes.txt", "sub/notes.txt", "manifest.json"])
  func `an interrupted output with a file that it did not begin`(_ name: String) throws {
    try interrupt()
    try directory.write("out.partial/\(name)", "theirs")
    try expectRefused("it holds \(name), which this program did not write")
    try expectRefused("it holds \(name), which this program did not write", resume: true)
    try FileManager.default.removeItem(atPath: directory("out.partial/\(name)"))
    let output = try begin(resume: true)
    #expect(output.finishedFiles.map(\.name) == ["a"])
  }

  @Test func `an interrupted output is removed whole`() throws {
    try interrupt()
    let output = try begin(force: true)
    #expect(try directory.tree("out.partial").keys.sorted() == [".spikingbrain-journal"])
    output.abandon()
    #expect(try directory.tree("").isEmpty)
  }

  @Test func `an interrupted output that got another name`() throws {
    try interrupt()
    try FileManager.default.moveItem(atPath: partial, toPath: out)
    #expect(throws: CheckpointError.outputExists(path: out)) { try begin() }
    let output = try begin(force: true)
    try output.write([3], to: "c")
    try output.commit()
    #expect(try directory.tree("out") == ["c": [3]])
  }

  @Test func `a workspace alone is nobody's`() throws {
    try directory.write("out/.work/theirs", "x")
    try expectRefused("not an output of this program")
  }

  @Test func `an empty directory may be replaced`() throws {
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    let output = try begin(force: true)
    try output.write([1], to: "a")
    try output.commit()
    #expect(try directory.tree("") == ["out/a": [1]])
  }

  @Test func `an interrupted replacement goes on without force`() throws {
    try directory.writeManifest("out")
    do { try begin(force: true).write([1], to: "a") }
    #expect(throws: CheckpointError.partialExists(path: partial)) { try begin() }
    let output = try begin(resume: true)
    try output.write([2], to: "b")
    try output.commit()
    #expect(try directory.tree("") == ["out/a": [1], "out/b": [2]])
  }

  @Test func `what appeared beside an interrupted run is not replaced`() throws {
    try interrupt()
    try directory.writeManifest("out")
    #expect(throws: CheckpointError.outputInTheWay(path: out)) { try begin(resume: true) }
  }

  @Test func `what cannot be continued is written anew`() throws {
    do {
      let output = try OutputDirectory(begin: out, fingerprint: [:], isResumable: false)
      try output.write([1], to: "a")
    }
    let output = try OutputDirectory(begin: out, fingerprint: [:], isResumable: false)
    #expect(output.finishedFiles.isEmpty)
    output.abandon()
    #expect(try directory.tree("").isEmpty)
  }
}
