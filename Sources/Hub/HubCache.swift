import Checkpoints
import Foundation
import Glibc

/// One repository in the cache that `huggingface_hub` and its friends share.
///
///     models--ORG--NAME/blobs/HASH                  what files hold, HASH.incomplete while it arrives
///     models--ORG--NAME/snapshots/COMMIT/FILE       links to blobs
///     models--ORG--NAME/refs/REVISION               the commit that a branch or tag stood for
///     .locks/models--ORG--NAME/HASH.lock            held while a blob arrives
struct HubCache: Sendable {
  /// What the name of a model's directory begins with.
  static let folderPrefix = "models--"

  /// The directory of the whole cache.
  let root: String
  private let folder: String

  init(_ root: String, _ reference: HubReference) {
    self.root = root
    folder = Self.folderPrefix + reference.repository.replacing("/", with: "--")
  }

  /// The directory of the repository.
  private var directory: String { root + "/" + folder }

  /// The directory of the files as they were at a commit.
  func snapshot(_ commit: String) -> String { "\(directory)/snapshots/\(commit)" }

  /// The commit that `revision` stood for when it was asked for last; nil where nobody has.
  func commit(of revision: String) -> String? {
    if HubReference.isCommit(revision) { return revision }
    let text = try? String(contentsOfFile: "\(directory)/refs/\(revision)", encoding: .utf8)
    let commit = text?.trimmingCharacters(in: .whitespacesAndNewlines)
    return commit.flatMap { HubReference.isCommit($0) ? $0 : nil }
  }

  /// Notes that `revision` stands for `commit`.
  func note(_ revision: String, is commit: String) throws(HubError) {
    guard !HubReference.isCommit(revision), self.commit(of: revision) != commit else { return }
    let path = "\(directory)/refs/\(revision)"
    try Self.make(RelativeName.directory(path))
    do {
      try Data(commit.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw .system(path: path, errno: Self.code(error))
    }
  }

  /// The names of the files that the snapshot of `commit` holds whole.
  func files(at commit: String) -> [String] {
    let place = snapshot(commit)
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: place)) ?? []
    return names.filter { FileStatus.size("\(place)/\($0)") != nil }.sorted()
  }

  /// The blob of `file`.
  func blob(_ file: HubFile) -> String { "\(directory)/blobs/\(file.tag)" }

  /// Whether its blob is there.
  func holds(_ file: HubFile) -> Bool { FileStatus.size(blob(file)) == file.size }

  /// Where it is while it arrives.
  func incomplete(_ file: HubFile) -> String { blob(file) + ".incomplete" }

  /// Makes the directories of blobs and locks.
  func prepare() throws(HubError) {
    for place in [directory + "/blobs", "\(root)/.locks/\(folder)"] { try Self.make(place) }
  }

  /// Puts `file`, whose blob is there, into the snapshot of `commit`.
  func link(_ file: HubFile, at commit: String) throws(HubError) {
    let path = "\(snapshot(commit))/\(file.name)"
    try Self.make(RelativeName.directory(path))
    let depth = file.name.count { $0 == "/" } + 2
    let target = String(repeating: "../", count: depth) + "blobs/" + file.tag
    // What is there is another blob's, or one's that is gone.
    unlink(path)
    guard symlink(target, path) == 0 || errno == EEXIST else {
      // File systems without links get files.
      guard errno == EPERM || errno == ENOTSUP, Glibc.link(blob(file), path) == 0 else {
        throw .system(path: path, errno: errno)
      }
      return
    }
  }

  /// Runs `body` while no other process fetches the blob of `file`.
  func locked<Result>(
    _ file: HubFile, waiting: () -> Void, _ body: () throws(HubError) -> Result
  ) throws(HubError) -> Result {
    let path = "\(root)/.locks/\(folder)/\(file.tag).lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system(path: path, errno: errno) }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      waiting()
      // Where locks are not known, as on some network file systems, it goes without.
      while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    }
    return try body()
  }

  private static func make(_ directory: String) throws(HubError) {
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw .system(path: directory, errno: code(error))
    }
  }

  private static func code(_ error: any Error) -> Int32 {
    let error = error as NSError
    let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError
    let posix = [inner, error].compactMap(\.self).first { $0.domain == NSPOSIXErrorDomain }
    return posix.map { Int32($0.code) } ?? EIO
  }
}
