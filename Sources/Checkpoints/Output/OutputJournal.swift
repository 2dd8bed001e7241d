import Glibc
import StrictJSON

/// The journal inside a partial output: one JSON line with the fingerprint; a line before each file
/// is created; a line with its digest, appended and synced only after the file itself was synced;
/// and a last line when the output is whole.
///
/// So it accounts for every file beside it, and what it does not name is somebody else's.
final class OutputJournal: Sendable {
  /// The name of the journal inside the directory.
  static let fileName = ".spikingbrain-journal"
  private static let format = "spikingbrain-journal"
  private static let version = 2

  private let path: String
  private let descriptor: Int32

  /// What a journal says.
  struct Contents {
    /// What determines the output, by name.
    var fingerprint: [String: String]
    /// Whether the run was told to replace an older output.
    var replaces: Bool
    /// The files that are finished.
    var records: [FileRecord] = []
    /// The names of all files that were begun.
    var begun: Set<ExactKey> = []
    /// Whether nothing was left to do but to move the directory into place.
    var isWhole = false
    /// Bytes of complete lines.
    fileprivate(set) var complete = 0
  }

  /// Creates a journal in `directory` that says `contents`; it appears complete or not at all.
  ///
  /// That of a `part` other than 0 lists the files of one of several processes, and is locked.
  init(directory: String, contents: Contents, part: Int = 0) throws(CheckpointError) {
    path = RelativeName.join(
      directory, part == 0 ? OutputJournal.fileName : PartJournals.fileName(part))
    let fingerprint = contents.fingerprint.sorted { $0.key < $1.key }
    let header: JSONValue = [
      "format": .string(OutputJournal.format), "version": .int(OutputJournal.version),
      "replaces": .bool(contents.replaces),
      "fingerprint": .object(JSONObject(strings: fingerprint.map { ($0.key, $0.value) })),
    ]
    let temporary = path + ".new"
    let stream = try FileStream(path: temporary)
    for line in [header] + contents.records.map(\.jsonWithTensors) {
      try stream.write(Array((line.compact + "\n").utf8))
    }
    _ = try stream.finish()
    guard rename(temporary, path) == 0 else {
      throw .system(file: path, operation: .rename, errno: errno)
    }
    try FileStatus.sync(directory: directory)
    descriptor = try OutputJournal.openForAppending(path)
    // Given up when the process ends, however it does.
    if part > 0 { flock(descriptor, LOCK_EX | LOCK_NB) }
  }

  /// Opens the journal in `directory`, which says `contents`, to append to it, dropping a line cut
  /// short by a crash.
  init(continuing directory: String, _ contents: Contents) throws(CheckpointError) {
    path = RelativeName.join(directory, OutputJournal.fileName)
    guard truncate(path, contents.complete) == 0 else {
      throw .system(file: path, operation: .open, errno: errno)
    }
    descriptor = try OutputJournal.openForAppending(path)
  }

  deinit { FileLock.release(descriptor) }

  /// What the journal of the directory says; nil when there is none.
  static func contents(in directory: String) throws(CheckpointError) -> Contents? {
    let path = RelativeName.join(directory, fileName)
    return FileStatus.isTaken(path) ? try contents(of: path) : nil
  }

  /// What the journal at `path` says.
  static func contents(of path: String) throws(CheckpointError) -> Contents {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    let complete = file.bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let lines = file.bytes[..<complete].split(separator: UInt8(ascii: "\n"))
    var documents: [JSONValue] = []
    for (index, line) in lines.enumerated() {
      do throws(JSONError) {
        documents.append(try JSONParser.parse(line))
      } catch {
        throw .journal(file: path, line: index + 1, reason: error.what)
      }
    }
    guard let header = documents.first, header["format"]?.string == format,
      header["version"]?.int == version, let replaces = header["replaces"]?.bool,
      let fingerprint = header["fingerprint"]?.object
    else { throw .journal(file: path, line: 1, reason: "not a journal of this version") }
    var contents = Contents(
      fingerprint: fingerprint.members.reduce(into: [:]) { $0[$1.key] = $1.value.string },
      replaces: replaces)
    contents.complete = complete
    for (index, document) in documents.enumerated().dropFirst() {
      if let name = document["begun"]?.string {
        contents.begun.insert(ExactKey(text: name))
      } else if document["whole"]?.bool == true {
        contents.isWhole = true
      } else if let record = FileRecord(json: document) {
        contents.begun.insert(ExactKey(text: record.name))
        contents.records.append(record)
      } else {
        throw .journal(file: path, line: index + 1, reason: "expected a file's name, bytes, sha256")
      }
    }
    return contents
  }

  /// Says that the file `name` will be created.
  func begin(_ name: String) throws(CheckpointError) { try append(["begun": .string(name)]) }

  /// Says that the file of `record` is finished.
  func append(_ record: FileRecord) throws(CheckpointError) {
    try append(record.jsonWithTensors)
  }

  /// Says that all files are finished.
  func markWhole() throws(CheckpointError) { try append(["whole": true]) }

  /// Appends a line and waits until it is on disk.
  private func append(_ document: JSONValue) throws(CheckpointError) {
    let line = Array((document.compact + "\n").utf8)
    // One write call: with O_APPEND a line is whole or, after a crash, cut short at its end.
    let count = write(descriptor, line, line.count)
    guard count == line.count else {
      throw .writeFailed(
        file: path, errno: count < 0 ? errno : ENOSPC, bytesWritten: max(count, 0),
        isResumable: true)
    }
    guard fdatasync(descriptor) == 0 else {
      throw .system(file: path, operation: .sync, errno: errno)
    }
  }

  private static func openForAppending(_ path: String) throws(CheckpointError) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(file: path, operation: .open, errno: errno) }
    return descriptor
  }
}

extension OutputJournal.Contents {
  /// Throws when the run was started by another fingerprint than `current`.
  func requireSame(_ current: [String: String], directory: String) throws(CheckpointError) {
    let differences = Set(fingerprint.keys).union(current.keys).sorted().compactMap { key in
      let before = fingerprint[key]
      return before == current[key]
        ? nil : FingerprintDifference(key: key, recorded: before, current: current[key])
    }
    guard differences.isEmpty else {
      throw .fingerprintDiffers(path: directory, differences: differences)
    }
  }
}
