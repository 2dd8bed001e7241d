import Glibc
import StrictJSON

/// A directory that this program wrote, finished or not, by what it says of itself: a manifest lists
/// the files of a finished one, a journal those of one that is being written.
///
/// One rule for everything that is removed or replaced, be it a checkpoint, a report, what `unpack`
/// restored or an interrupted run: one of the two must be there, and nothing in the directory may be
/// missing from both. So `--force` cannot remove what somebody else put there.
struct OwnDirectory {
  let path: String
  /// What the journal says; nil when there is none.
  let journal: OutputJournal.Contents?
  /// The files that are finished, those of other processes that helped among them.
  let records: [FileRecord]
  /// Every file inside, the workspace apart.
  let names: [String]

  /// Reads what the directory says of itself, and throws when it is not this program's alone.
  init(_ path: String) throws(CheckpointError) {
    guard !FileStatus.isLink(path) else {
      throw .outputNotReplaceable(path: path, reason: "it is a symbolic link")
    }
    guard FileStatus.isRealDirectory(path) else {
      throw .outputNotReplaceable(path: path, reason: "it is not a directory")
    }
    self.path = path
    let journal = try OutputJournal.contents(in: path)
    let entries = try FileStatus.files(below: path, withEmpty: true)
      .filter { journal == nil || !OwnDirectory.isWorkspace($0) }
    let parts = journal == nil ? [] : try PartJournals(of: path).contents()
    let manifest = FileStatus.exists(RelativeName.join(path, Manifest.fileName))
    // A manifest that was begun is not read: it may be cut short.
    let listed = manifest && journal == nil ? try OwnDirectory.listed(path) : nil
    var known = Set((listed ?? []).map { ExactKey(text: $0.name) })
    if listed != nil { known.formUnion(Manifest.ownNames.map { ExactKey(text: $0) }) }
    for contents in parts + (journal.map { [$0] } ?? []) { known.formUnion(contents.begun) }
    let foreign = entries.first { name in
      !OwnDirectory.isJournal(name) && !known.contains(ExactKey(text: name))
        && !(name.hasSuffix("/") && known.contains { $0.text.hasPrefix(name) })
    }
    if let foreign {
      throw .outputNotReplaceable(
        path: path,
        reason: manifest || journal != nil
          ? "it holds \(foreign), which this program did not write"
          : "it is not an output of this program (it has no manifest.json and no journal)")
    }
    var records = journal?.records ?? listed ?? []
    for record in parts.flatMap(\.records)
    where !records.contains(where: { ExactKey(text: $0.name) == ExactKey(text: record.name) }) {
      records.append(record)
    }
    self.journal = journal
    self.records = records
    names = entries.filter { !$0.hasSuffix("/") }
  }

  /// Whether nothing is missing but the name: the last run ended where it would have moved it there,
  /// and every file has the recorded digest.
  var isWhole: Bool {
    guard journal?.isWhole ?? !records.isEmpty else { return false }
    return records.allSatisfy { $0.isIntact(in: path) }
  }

  /// Whether it has neither a journal nor a file.
  var isEmpty: Bool { journal == nil && names.allSatisfy { OwnDirectory.isJournal($0) } }

  private static func listed(_ path: String) throws(CheckpointError) -> [FileRecord] {
    do throws(CheckpointError) {
      return try Manifest(unsealed: path).files
    } catch {
      throw .outputNotReplaceable(
        path: path, reason: "its manifest.json is not this program's: \(error.what)")
    }
  }

  /// Whether this is the journal, one being written, or one of another process.
  private static func isJournal(_ name: String) -> Bool {
    name.hasPrefix(OutputJournal.fileName) && !name.contains("/")
  }

  private static func isWorkspace(_ name: String) -> Bool {
    name.hasPrefix(OutputDirectory.workspaceName + "/")
  }
}

extension OutputDirectory {
  /// Removes the output `path`, if this program wrote it and everything in it.
  package static func remove(_ path: String) throws(CheckpointError) {
    _ = try OwnDirectory(path)
    try removeAll(path)
  }

  /// Removes a directory of this program, what says so last: a run that is killed meanwhile leaves
  /// what the next one may remove.
  static func removeAll(_ path: String) throws(CheckpointError) {
    for name in try FileStatus.names(in: path)
    where name != Manifest.fileName && name != OutputJournal.fileName {
      try FileStatus.removeTree(RelativeName.join(path, name))
    }
    try FileStatus.removeTree(path)
  }

  /// Throws when something is at `path` that this program did not write, or not alone. Returns
  /// whether anything is there.
  @discardableResult
  package static func requireOwn(_ path: String) throws(CheckpointError) -> Bool {
    guard FileStatus.isTaken(path) else { return false }
    _ = try OwnDirectory(path)
    return true
  }

  /// Throws when the output `path`, which is there, may not be replaced.
  static func requireReplaceable(_ path: String, inputs: [String]) throws(CheckpointError) {
    for input in inputs where FileStatus.contains(path, input) {
      throw .outputNotReplaceable(path: path, reason: "it holds the input \(input)")
    }
    if FileStatus.contains(path, ".") {
      throw .outputNotReplaceable(path: path, reason: "it holds the working directory")
    }
    if let home = getenv("HOME"), FileStatus.contains(path, String(cString: home)) {
      throw .outputNotReplaceable(path: path, reason: "it holds the home directory")
    }
    _ = try OwnDirectory(path)
  }
}

extension FileRecord {
  /// Whether the file is in `directory` as recorded, read to the end.
  func isIntact(in directory: String) -> Bool {
    let path = RelativeName.join(directory, name)
    guard FileStatus.size(path) == bytes, let found = try? SHA256.hashFile(path) else {
      return false
    }
    return found.bytes == bytes && found.digest == sha256
  }
}
