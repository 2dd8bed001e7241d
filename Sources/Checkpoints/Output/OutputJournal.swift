import Glibc
import StrictJSON

/// The journal inside a partial output: one JSON line with the fingerprint, then one line per
/// finished file, each appended and synced only after the file itself was synced.
final class OutputJournal: Sendable {
  /// The name of the journal inside the directory.
  static let fileName = ".spikingbrain-journal"
  private static let format = "spikingbrain-journal"
  private static let version = 1

  private let path: String
  private let descriptor: Int32

  /// Creates a journal in `directory`, listing `records`; it appears complete or not at all.
  ///
  /// That of a `part` other than 0 lists the files of one of several processes, and is locked.
  init(
    directory: String, fingerprint: [String: String], records: [FileRecord] = [], part: Int = 0
  ) throws(CheckpointError) {
    path = RelativeName.join(
      directory, part == 0 ? OutputJournal.fileName : PartJournals.fileName(part))
    let entries = fingerprint.sorted { $0.key < $1.key }
      .map { ($0.key, JSONValue.string($0.value)) }
    let header: JSONValue = [
      "format": .string(OutputJournal.format), "version": .int(OutputJournal.version),
      "fingerprint": .object(JSONObject(entries)),
    ]
    let temporary = path + ".new"
    let stream = try FileStream(path: temporary)
    for line in [header] + records.map(\.json) {
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

  /// Opens the journal in `directory` to append to it, dropping a line cut short by a crash.
  /// Returns nil when there is no journal.
  static func resume(
    directory: String, fingerprint: [String: String]
  ) throws(CheckpointError) -> (journal: OutputJournal, records: [FileRecord])? {
    let path = RelativeName.join(directory, fileName)
    guard FileStatus.exists(path) else { return nil }
    let (records, complete) = try read(path, directory: directory, fingerprint: fingerprint)
    guard truncate(path, complete) == 0 else {
      throw .system(file: path, operation: .open, errno: errno)
    }
    return (try OutputJournal(appendingTo: path), records)
  }

  /// Reads the journal at `path`. Returns the files, and the bytes of complete lines.
  static func read(
    _ path: String, directory: String, fingerprint: [String: String]
  ) throws(CheckpointError) -> (records: [FileRecord], complete: Int) {
    let file = try MappedFile(path: path)
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
      header["version"]?.int == version, let recorded = header["fingerprint"]?.object
    else { throw .journal(file: path, line: 1, reason: "not a journal of this version") }
    try compare(recorded, with: fingerprint, directory: directory)
    var records: [FileRecord] = []
    for (index, document) in documents.enumerated().dropFirst() {
      guard let record = FileRecord(json: document) else {
        throw .journal(file: path, line: index + 1, reason: "expected a file's name, bytes, sha256")
      }
      records.append(record)
    }
    return (records, complete)
  }

  private init(appendingTo path: String) throws(CheckpointError) {
    self.path = path
    self.descriptor = try OutputJournal.openForAppending(path)
  }

  deinit { close(descriptor) }

  /// Appends `record` and waits until it is on disk.
  func append(_ record: FileRecord) throws(CheckpointError) {
    let line = Array((record.json.compact + "\n").utf8)
    // One write call: with O_APPEND a line is whole or, after a crash, cut short at its end.
    let count = write(descriptor, line, line.count)
    guard count == line.count else {
      throw .writeFailed(file: path, errno: count < 0 ? errno : ENOSPC, bytesWritten: max(count, 0))
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

  private static func compare(
    _ recorded: JSONObject, with current: [String: String], directory: String
  ) throws(CheckpointError) {
    let differences = Set(recorded.keys).union(current.keys).sorted().compactMap { key in
      let before = recorded[key]?.string
      return before == current[key]
        ? nil : FingerprintDifference(key: key, recorded: before, current: current[key])
    }
    guard differences.isEmpty else {
      throw .fingerprintDiffers(path: directory, differences: differences)
    }
  }
}
