import Checkpoints
import Foundation
import TestSupport
import Testing

/// The output protocol: complete or not there, resumable, never by two processes at once.
@Suite struct OutputDirectoryTests {
  private let directory: TemporaryDirectory
  private var out: String { directory("out") }
  private var partial: String { directory("out.partial") }
  private let fingerprint = ["source": "s1", "tool": "1.0"]

  init() throws { directory = try TemporaryDirectory() }

  private func begin(
    _ fingerprint: [String: String]? = nil, resume: Bool = false, force: Bool = false,
    inputs: [String] = []
  ) throws -> OutputDirectory {
    try OutputDirectory(
      begin: out, fingerprint: fingerprint ?? self.fingerprint, resume: resume, force: force,
      inputs: inputs)
  }

  private func error(_ body: () throws -> Void) -> CheckpointError? { checkpointError(body) }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  private func listing(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
  }

  /// Starts an output, finishes `a`, starts `b`, and stops as a killed process would: the lock is
  /// released and nothing else happens.
  private func interrupt() throws {
    let output = try begin()
    try output.write([1], to: "a")
    try output.file(named: "b").write([2])
  }

  @Test func committedOutputHoldsTheFilesAndNothingElse() throws {
    let output = try begin()
    #expect(!exists(out) && exists(partial))
    let record = try output.write([1, 2], to: "a")
    #expect(record == FileRecord(name: "a", bytes: 2, sha256: SHA256.hash([1, 2])))
    try output.write([], to: "sub/deep/b")
    #expect(output.finishedFiles.map(\.name) == ["a", "sub/deep/b"])
    try output.commit()
    #expect(try listing(out) == ["a", "sub", "sub/deep", "sub/deep/b"])
    #expect(!exists(partial))
  }

  @Test func missingParentsAreCreatedAndAbandonedWithTheOutput() throws {
    let output = try OutputDirectory(begin: directory("x/y/out/"), fingerprint: [:])
    #expect(exists(directory("x/y/out.partial")))
    output.abandon()
    #expect(try listing(directory.path) == [])
  }

  @Test func existingOutputIsRefused() throws {
    try directory.write("out/file", "old")
    let foreign = CheckpointError.outputForeign(
      path: out,
      reason: "it is not an output of this program (it has no manifest.json and no journal)")
    #expect(error { _ = try begin() } == foreign)
    #expect(error { _ = try begin(resume: true) } == foreign)
    #expect(try listing(directory.path) == ["out", "out/file"])
  }

  @Test func forceReplacesAnOldOutputOnlyWhenTheNewOneIsComplete() throws {
    try directory.write("out/sub/old", "old")
    #expect(throws: CheckpointError.self) { try begin(force: true) }
    try directory.writeManifest("out", of: ["sub/old"])
    let output = try begin(force: true)
    try output.write([1], to: "new")
    #expect(try listing(out) == ["manifest.json", "sub", "sub/old"])
    try output.commit()
    #expect(try listing(directory.path) == ["out", "out/new"])
  }

  @Test func outputThatAppearsMeanwhileIsNotReplaced() throws {
    let output = try begin()
    try output.write([1], to: "a")
    try directory.write("out/other", "x")
    #expect(error { try output.commit() } == .outputInTheWay(path: out))
    // The finished work is not lost: nothing was touched.
    #expect(exists(directory("out.partial/.spikingbrain-journal")))
    try FileManager.default.removeItem(atPath: out)
    try output.commit()
    #expect(try listing(out) == ["a"])
  }

  @Test func killedRunLeavesOnlyThePartialDirectory() throws {
    try interrupt()
    #expect(!exists(out))
    #expect(error { _ = try begin() } == .partialExists(path: partial))
    #expect(
      error { _ = try begin() }?.advice
        == "go on with --resume; --force would throw away what it has done")
  }

  @Test func resumedRunKeepsFinishedFilesAndDropsTheRest() throws {
    try interrupt()
    let output = try begin(resume: true)
    #expect(
      output.finishedFiles == [FileRecord(name: "a", bytes: 1, sha256: SHA256.hash([1]))])
    #expect(try listing(partial) == [".spikingbrain-journal", "a"])
    try output.write([3], to: "b")
    try output.commit()
    #expect(try listing(out) == ["a", "b"])
    #expect(try contents(directory("out/b")) == [3])
  }

  @Test func resumingTwiceAccumulates() throws {
    try interrupt()
    do { try begin(resume: true).write([2], to: "b") }
    let output = try begin(resume: true)
    #expect(output.finishedFiles.map(\.name) == ["a", "b"])
  }

  @Test func resumeWithoutAnInterruptedRunStartsOne() throws {
    #expect(try begin(resume: true).finishedFiles.isEmpty)
  }

  @Test func resumeWithAnotherFingerprintSaysWhatDiffers() throws {
    try interrupt()
    let error = error { _ = try begin(["source": "s2", "recipe": "r"], resume: true) }
    #expect(
      error?.what
        == "was started differently and cannot be resumed: recipe was absent, is r;"
        + " source was s1, is s2; tool was 1.0, is absent")
    // Refusing changes nothing.
    #expect(try begin(resume: true).finishedFiles.count == 1)
  }

  @Test func forceStartsAgain() throws {
    try interrupt()
    let output = try begin(["other": "x"], force: true)
    #expect(output.finishedFiles.isEmpty)
    #expect(try listing(partial) == [".spikingbrain-journal"])
  }

  @Test(arguments: ["longer", "x"])
  func fileChangedAfterItWasFinishedIsWrittenAgain(_ text: String) throws {
    try interrupt()
    try directory.write("out.partial/a", text)
    let output = try begin(resume: true)
    #expect(output.finishedFiles.isEmpty)
    try output.write([1], to: "a")
    try output.write([2], to: "b")
    try output.commit()
    #expect(try listing(out) == ["a", "b"])
  }

  @Test func journalLineCutShortByACrashIsDropped() throws {
    try interrupt()
    let journal = directory("out.partial/.spikingbrain-journal")
    try directory.write(
      "out.partial/.spikingbrain-journal", try contents(journal) + Array(#"{"name":"b","by"#.utf8))
    do {
      let output = try begin(resume: true)
      #expect(output.finishedFiles.map(\.name) == ["a"])
      try output.write([2], to: "b")
    }
    #expect(try begin(resume: true).finishedFiles.map(\.name) == ["a", "b"])
  }

  @Test(arguments: ["garbage\n", "{}\n", "", #"{"name":"../x","bytes":1,"sha256":""}"# + "\n"])
  func damagedJournalIsAnError(_ text: String) throws {
    try interrupt()
    let journal = directory("out.partial/.spikingbrain-journal")
    let old = text.hasPrefix("{\"name") ? try contents(journal) : []
    try directory.write("out.partial/.spikingbrain-journal", old + Array(text.utf8))
    // It does not say any more whose the files are.
    for (resume, force) in [(true, false), (false, true)] {
      #expect(throws: CheckpointError.self) { try begin(resume: resume, force: force) }
    }
    #expect(exists(directory("out.partial/a")))
  }

  @Test func partialDirectoryOfSomeoneElse() throws {
    try directory.write("out.partial/theirs", "x")
    for (resume, force) in [(false, false), (true, false), (false, true)] {
      #expect(
        error { _ = try begin(resume: resume, force: force) }
          == .outputNotReplaceable(
            path: partial,
            reason: "it is not an output of this program (it has no manifest.json and no journal)"))
    }
    #expect(exists(directory("out.partial/theirs")))
  }

  @Test func killedBeforeTheJournalAppeared() throws {
    for resume in [true, false] {
      try directory.write("out.partial/.spikingbrain-journal.new", "{")
      try begin(resume: resume).commit()
      #expect(try listing(directory.path) == ["out"])
      try FileManager.default.removeItem(atPath: out)
    }
    try directory.writeManifest("out")
    try directory.write("out.partial/.spikingbrain-journal.new", "{")
    #expect(error { _ = try begin() } == .outputExists(path: out))
  }

  @Test func abandonLeavesNothingOfAFreshRun() throws {
    try begin().abandon()
    #expect(try listing(directory.path) == [])
  }

  @Test func abandonKeepsWhatAnEarlierRunFinished() throws {
    try interrupt()
    try begin(resume: true).abandon()
    #expect(try begin(resume: true).finishedFiles.map(\.name) == ["a"])
  }

  @Test func secondRunInTheSameProcessIsRefused() throws {
    let output = try begin()
    for (resume, force) in [(false, false), (true, false), (false, true), (true, true)] {
      #expect(
        error { _ = try begin(resume: resume, force: force) } == .partialInUse(path: partial))
    }
    try output.commit()
  }

  @Test func runOfAnotherProcessIsRefused() throws {
    try interrupt()
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    holder.arguments = ["--no-fork", partial, "sh", "-c", "echo locked; exec sleep 30"]
    let pipe = Pipe()
    holder.standardOutput = pipe
    try holder.run()
    _ = pipe.fileHandleForReading.availableData
    #expect(error { _ = try begin(force: true) } == .partialInUse(path: partial))
    #expect(exists(directory("out.partial/a")))
    kill(holder.processIdentifier, SIGKILL)
    holder.waitUntilExit()
  }

  @Test(arguments: ["", "/abs", "a/../b", "..", "a/", ".spikingbrain-journal", "a\nb"])
  func invalidFileNames(_ name: String) throws {
    let output = try begin()
    #expect(
      error { _ = try output.file(named: name) } == .invalidFileName(file: partial, name: name))
  }

  @Test func fileIsWrittenOnce() throws {
    let output = try begin()
    try output.write([1], to: "a")
    #expect(error { try output.write([1], to: "a") } == .alreadyWritten(path: partial, file: "a"))
    let b = try output.file(named: "b")
    #expect(error { _ = try output.file(named: "b") } == .alreadyWritten(path: partial, file: "b"))
    #expect(error { try output.commit() } == .unfinishedFiles(path: partial, files: ["b"]))
    _ = try b.finish()
    try output.commit()
  }

  @Test func filesAreWrittenConcurrently() throws {
    let output = try begin()
    DispatchQueue.concurrentPerform(iterations: 16) { index in
      let bytes = [UInt8](repeating: UInt8(index), count: 100_000 * index)
      _ = try? output.write(bytes, to: "f\(index)")
    }
    #expect(output.finishedFiles.count == 16)
    try output.commit()
    for index in 0..<16 {
      #expect(try contents(directory("out/f\(index)")).count == 100_000 * index)
    }
  }

  @Test func forceDoesNotRemoveInputs() throws {
    try directory.write("out/model.safetensors", "x")
    #expect(
      error { _ = try begin(force: true, inputs: [directory("out/model.safetensors")]) }?.what
        == "cannot be replaced: it holds the input \(directory("out/model.safetensors"))")
    #expect(error { _ = try begin(force: true, inputs: [out]) } != nil)
    try FileManager.default.removeItem(atPath: out)
    try interrupt()
    #expect(error { _ = try begin(force: true, inputs: [partial]) } != nil)
    #expect(exists(directory("out.partial/a")))
  }

  @Test(arguments: ["/", ".", "..", "/tmp/..", "", "x/."])
  func namesThatAreNoNewDirectory(_ path: String) {
    #expect(throws: CheckpointError.self) {
      try OutputDirectory(begin: path, fingerprint: [:], force: true)
    }
  }

  @Test func workingDirectoryAndHomeAreNotReplaced() {
    for path in [FileManager.default.currentDirectoryPath, NSHomeDirectory()] {
      #expect(throws: CheckpointError.self) {
        try OutputDirectory(begin: path, fingerprint: [:], force: true)
      }
    }
  }

  @Test func parentIsAFile() throws {
    try directory.write("file", "x")
    #expect(throws: CheckpointError.self) {
      try OutputDirectory(begin: directory("file/out"), fingerprint: [:])
    }
  }
}
