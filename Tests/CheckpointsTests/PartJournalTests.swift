import Checkpoints
import Foundation
import TestSupport
import Testing

/// Several processes write one directory: one owns it, the others join.
struct PartJournalTests {
  private let directory: TemporaryDirectory
  private var out: String { directory("out") }
  private let fingerprint = ["source": "s1"]

  init() throws { directory = try TemporaryDirectory() }

  private func begin(resume: Bool = false, force: Bool = false) throws -> OutputDirectory {
    try OutputDirectory(begin: out, fingerprint: fingerprint, resume: resume, force: force)
  }

  private func join(_ part: Int, finished: [FileRecord] = []) throws -> OutputDirectory {
    try OutputDirectory(join: out, part: part, fingerprint: fingerprint, finished: finished)
  }

  private func listing(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
  }

  @Test func `files of all parts are committed, and nothing else`() throws {
    let owner = try begin(), other = try join(1), third = try join(2)
    try owner.write([1], to: "a")
    try other.write([2, 2], to: "sub/b")
    try third.write([3], to: "c")
    for part in [other, third] {
      try owner.adopt(part.finishedFiles)
      part.endPart()
    }
    #expect(Set(owner.finishedFiles.map(\.name)) == ["a", "sub/b", "c"])
    try owner.commit()
    #expect(try listing(out) == ["a", "c", "sub", "sub/b"])
    #expect(try listing(directory.path) == ["out", "out/a", "out/c", "out/sub", "out/sub/b"])
  }

  @Test func `what a part has finished is kept when the owner is killed`() throws {
    do {
      let owner = try begin(), other = try join(1)
      try owner.write([1], to: "a")
      try other.write([2, 2], to: "b")
      try other.file(named: "unfinished").write([9])
    }
    let again = try begin(resume: true)
    #expect(again.finishedFiles.map(\.name) == ["a", "b"])
    #expect(again.finishedFiles.map(\.bytes) == [1, 2])
    #expect(try listing(again.partialPath) == [".spikingbrain-journal", "a", "b"])
    // Another run that is killed knows it from the one journal.
    withExtendedLifetime(again) {}
  }

  @Test func `a part is recorded once however often the run is resumed`() throws {
    do {
      _ = try begin()
      try join(3).write([2, 2], to: "b")
    }
    do { _ = try begin(resume: true) }
    let third = try begin(resume: true)
    #expect(third.finishedFiles.map(\.name) == ["b"])
    let part = try join(1, finished: third.finishedFiles)
    #expect(throws: CheckpointError.alreadyWritten(path: third.partialPath, file: "b")) {
      try part.file(named: "b")
    }
    try third.adopt(part.finishedFiles)
    part.endPart()
    try third.commit()
    #expect(try listing(out) == ["b"])
  }

  @Test func `a directory that a part of an earlier run still writes is refused`() throws {
    let partial = out + ".partial"
    var stray: OutputDirectory?
    do {
      _ = try begin()
      stray = try join(1)
      try stray?.write([1], to: "a")
    }
    #expect(throws: CheckpointError.partialInUse(path: partial)) { try begin(resume: true) }
    #expect(throws: CheckpointError.partialInUse(path: partial)) { try begin(force: true) }
    #expect(try listing(partial).contains("a"))
    stray?.endPart()
    stray = nil
    #expect(try begin(resume: true).finishedFiles.map(\.name) == ["a"])
  }

  @Test func `an owner that fails keeps what parts have finished, and removes nothing of theirs`()
    throws
  {
    let owner = try begin(), other = try join(1)
    try other.write([1], to: "a")
    other.abandon()
    owner.abandon()
    #expect(try begin(resume: true).finishedFiles.map(\.name) == ["a"])
  }

  @Test func `an owner that fails before anything is finished leaves nothing`() throws {
    let owner = try begin(), other = try join(1)
    other.abandon()
    owner.abandon()
    #expect(try listing(directory.path) == [])
  }

  @Test func `a file changed after it was listed is written again`() throws {
    do {
      _ = try begin()
      try join(1).write([2, 2], to: "b")
    }
    try directory.write("out.partial/b", "longer than before")
    #expect(try begin(resume: true).finishedFiles.isEmpty)
  }
}
