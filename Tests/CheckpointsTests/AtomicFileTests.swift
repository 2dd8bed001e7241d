import Checkpoints
import Foundation
import TestSupport
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
    #expect(names == ["file.spikingbrain-partial"])
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
    try directory.write("file.spikingbrain-partial", "much longer than the new content")
    // A name that anybody may use.
    try directory.write("file.partial", "theirs")
    let file = try AtomicFile(path: directory("file"), force: false)
    try file.write([1])
    try file.commit()
    #expect(try contents(directory("file")) == [1])
    #expect(names == ["file", "file.partial"])
  }

  @Test func isWrittenByOneAtATime() throws {
    let file = try AtomicFile(path: directory("file"), force: false)
    try file.write([1])
    #expect(
      checkpointError { _ = try AtomicFile(path: directory("file"), force: true) }
        == .partialInUse(path: directory("file.spikingbrain-partial")))
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

  @Test func replacesItsOwnWithoutForce() throws {
    try directory.write("file", "mine")
    func write(isOwn: Bool) throws {
      let file = try AtomicFile(path: directory("file"), force: false, isOwn: { _ in isOwn })
      try file.write([1])
      try file.commit()
    }
    #expect(checkpointError { try write(isOwn: false) } == .outputExists(path: directory("file")))
    try write(isOwn: true)
    #expect(try contents(directory("file")) == [1])
  }

  @Test func replacesNoInputUnderAnyName() throws {
    let input = try directory.write("in/model.safetensors", "weights")
    #expect(link(input, directory("other")) == 0)
    #expect(symlink(input, directory("link")) == 0)
    for name in ["in/model.safetensors", "other", "link"] {
      let error = checkpointError {
        _ = try AtomicFile(
          path: directory(name), force: true, inputs: [input], isOwn: { _ in true })
      }
      #expect(error?.what.hasPrefix("cannot be replaced: it is ") == true)
    }
    // What was read from a directory is an input as well.
    _ = try MappedFile(path: input)
    #expect(
      checkpointError {
        _ = try AtomicFile(path: input, force: true, inputs: [directory("in")])
      } != nil)
    #expect(try contents(input) == Array("weights".utf8))
  }

  @Test func linksAreNotReplaced() throws {
    #expect(symlink(directory("nowhere"), directory("file")) == 0)
    #expect(
      checkpointError { _ = try AtomicFile(path: directory("file"), force: true) }
        == .outputNotReplaceable(path: directory("file"), reason: "it is a symbolic link"))
  }

  @Test func isNoMoreReadableThanWhatItIsMadeFrom() throws {
    let input = try directory.write("input", "secret")
    #expect(chmod(input, 0o600) == 0)
    let file = try AtomicFile(path: directory("file"), force: false, inputs: [input])
    try file.commit()
    let attributes = try FileManager.default.attributesOfItem(atPath: directory("file"))
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func isNotMadeFromTwoVersionsOfAFile() throws {
    let input = try directory.write("input", "version 1")
    let map = try MappedFile(path: input)
    let file = try AtomicFile(path: directory("file"), force: false, inputs: [input])
    try file.write(map.bytes)
    try overwrite(input, "version 2")
    #expect(checkpointError { try file.commit() } == .changedWhileRead(file: input))
    withExtendedLifetime(map) {}
    #expect(!FileManager.default.fileExists(atPath: directory("file")))
  }

  @Test func adviceNamesNoResume() throws {
    let error = CheckpointError.writeFailed(
      file: "f", errno: ENOSPC, bytesWritten: 0, isResumable: false)
    #expect(error.advice == "free some space, then run the same command again")
  }
}
