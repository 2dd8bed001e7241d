import Checkpoints
import Foundation
import Testing

/// A single file that appears complete or not at all.
@Suite struct AtomicFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).sorted()
  }

  @Test func appearsWhenCommitted() throws {
    let file = try AtomicFile(path: directory("file"), force: false)
    try file.write(Array("text".utf8))
    #expect(names == ["file.partial"])
    try file.commit()
    #expect(names == ["file"])
    #expect(try contents(directory("file")) == Array("text".utf8))
  }

  @Test func leavesNothingWhenAbandoned() throws {
    do {
      let file = try AtomicFile(path: directory("file"), force: false)
      try file.write([1, 2, 3])
    }
    #expect(names.isEmpty)
  }

  @Test func whatAKilledRunLeftIsWrittenAnew() throws {
    try directory.write("file.partial", "much longer than the new content")
    let file = try AtomicFile(path: directory("file"), force: false)
    try file.write([1])
    try file.commit()
    #expect(try contents(directory("file")) == [1])
  }

  @Test func isWrittenByOneAtATime() throws {
    let file = try AtomicFile(path: directory("file"), force: false)
    try file.write([1])
    #expect(
      checkpointError { _ = try AtomicFile(path: directory("file"), force: true) }
        == .partialInUse(path: directory("file.partial")))
    try file.commit()
    #expect(try contents(directory("file")) == [1])
  }

  @Test func replacesOnlyFilesAndOnlyByForce() throws {
    try directory.write("file", "old")
    #expect(
      checkpointError { _ = try AtomicFile(path: directory("file"), force: false) }
        == .outputExists(path: directory("file")))
    let late = try AtomicFile(path: directory("late"), force: false)
    try directory.write("late", "came first")
    #expect(checkpointError { try late.commit() } == .outputExists(path: directory("late")))
    let file = try AtomicFile(path: directory("file"), force: true)
    try file.commit()
    #expect(try contents(directory("file")).isEmpty)
    #expect(checkpointError { _ = try AtomicFile(path: directory.path, force: true) } != nil)
  }
}
