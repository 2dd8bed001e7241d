import Checkpoints
import Dispatch
import Foundation
import Glibc
import Synchronization

/// Fetches files of one commit into the cache, some at a time.
///
/// A file arrives under another name. It gets its own when it is whole and its hash is right; until
/// then a run that is ended, or cut off, leaves what the next one goes on from.
struct HubDownload: Sendable {
  let client: HubClient
  let cache: HubCache
  let commit: String

  /// Fetches `files`.
  ///
  /// - Parameter report: told from time to time how many bytes are there, of those of all files.
  func run(_ files: [HubFile], report: (Int) -> Void) throws(HubError) {
    try cache.prepare()
    // One blob may have several names.
    var tags: Set<String> = []
    let blobs = files.filter { tags.insert($0.tag).inserted }
    let arrived = blobs.reduce(0) {
      $0 + min($1.size, FileStatus.size(cache.incomplete($1)) ?? 0)
    }
    let missing = blobs.reduce(0) { $0 + $1.size } - arrived
    if let free = FileStatus.freeBytes(at: cache.root), missing > free {
      throw .noSpace(client.reference.text, directory: cache.root, needed: missing, free: free)
    }
    // The largest first: they are what the end is waited for.
    let order = blobs.sorted { ($0.size, $1.name) > ($1.size, $0.name) }
    let bytes = HubBytes()
    _ = try client.all(order, meanwhile: { report(bytes.count) }) {
      file, crew throws(HubError) in try fetch(file, crew, bytes)
    }
    report(bytes.count)
    for file in files { try cache.link(file, at: commit) }
  }

  private func fetch(
    _ file: HubFile, _ crew: HubCrew, _ bytes: HubBytes
  ) throws(HubError) {
    let waiting = { client.note("note: another process fetches \(file.name): waiting for it") }
    try cache.locked(file, waiting: waiting) { () throws(HubError) in
      guard !cache.holds(file) else { return bytes.add(file.size) }
      let path = cache.incomplete(file)
      let part = try HubPart(path, of: file)
      let begun = part.count
      bytes.add(begun)
      try receive(file, part, crew, bytes)
      if crew.isOver { return }
      if begun > 0, try !HubDigest.isRight(path, file) {
        // What was there before may have been another file's: once more from nothing.
        try part.empty()
        bytes.add(-file.size)
        try receive(file, part, crew, bytes)
        if crew.isOver { return }
      }
      guard try HubDigest.isRight(path, file) else {
        unlink(path)
        throw .damaged(client.reference.text, file: file.name, hash: file.tag)
      }
      try part.finish(as: cache.blob(file))
    }
  }

  /// Receives what is missing, piece by piece, until all is there or somebody else failed.
  private func receive(
    _ file: HubFile, _ part: HubPart, _ crew: HubCrew, _ bytes: HubBytes
  ) throws(HubError) {
    let own = try client.url(of: file.name, at: commit)
    var place = own
    var attempts = HubAttempts(client.settings.patience, note: client.note)
    while part.count < file.size, !crew.isOver {
      let start = part.count
      let end = min(file.size, start + client.settings.pieceBytes)
      // The rest is asked for as a rest, and all as all: so servers without ranges serve too.
      let range: String? =
        end < file.size ? "\(start)-\(end - 1)" : start > 0 ? "\(start)-" : nil
      let take = part.taker(from: start) { count in
        bytes.add(count)
        return !crew.isOver
      }
      let outcome = try client.ask(
        place, on: crew.connection, file: file.name, range: range, take: take)
      if let code = part.failure { throw .system(path: part.path, errno: code) }
      if part.count > start { attempts.succeeded() }
      switch outcome {
      case .done(let response):
        // The store's address is good for the next piece too.
        place = response.url
        guard part.count == start, !crew.isOver else { continue }
        throw .answer(
          client.reference.text, url: response.url.shortText,
          reason: "expected \(file.size) bytes of \(file.name), got \(start)")
      case .temporary(let error, let wait):
        place = own
        if part.count == start { try attempts.failed(error, wait: wait) }
      }
    }
  }
}

/// A sum that several threads make.
final class HubBytes: Sendable {
  private let sum = Mutex(0)

  func add(_ bytes: Int) { sum.withLock { $0 += bytes } }

  var count: Int { sum.withLock { $0 } }
}

/// A file that arrives.
final class HubPart: Sendable {
  let path: String
  private let size: Int
  private let descriptor: Int32
  private struct State {
    var count: Int
    var failure: Int32?
  }
  private let state: Mutex<State>

  /// The bytes of `file` that are at `path` already; more than it has are none of it.
  init(_ path: String, of file: HubFile) throws(HubError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system(path: path, errno: errno) }
    self.path = path
    self.descriptor = descriptor
    size = file.size
    let length = Int(lseek(descriptor, 0, SEEK_END))
    state = Mutex(State(count: max(0, length)))
    if length > file.size { try empty() }
  }

  deinit { close(descriptor) }

  /// The bytes that are there.
  var count: Int { state.withLock { $0.count } }

  /// Why writing failed; nil when it did not.
  var failure: Int32? { state.withLock { $0.failure } }

  /// Throws away what is there.
  func empty() throws(HubError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .system(path: path, errno: errno) }
    state.withLock { $0.count = 0 }
  }

  /// Writes what arrives of an answer to a request for the bytes from `start` on, of which `more` is
  /// told; it says whether to go on.
  func taker(
    from start: Int, _ more: @escaping @Sendable (Int) -> Bool
  ) -> @Sendable (HubResponse, Data) -> Bool {
    let skipped = Mutex<Int?>(nil)
    return { [self] response, data in
      // An answer may begin elsewhere: at byte 0 when the server knows no ranges.
      let begin = response.status == 206 ? response.part?.start ?? start : 0
      guard begin <= start else { return false }
      let skip = skipped.withLock { skipped in
        let left = skipped ?? start - begin
        skipped = max(0, left - data.count)
        return min(left, data.count)
      }
      let written = write(data.dropFirst(skip))
      return written.map(more) ?? false
    }
  }

  /// Appends `data`; how many bytes it wrote, nil when it could not or there are too many.
  private func write(_ data: Data) -> Int? {
    state.withLock { state in
      guard state.count + data.count <= size else { return nil }
      let code = data.withUnsafeBytes { bytes -> Int32? in
        var rest = bytes[...]
        while !rest.isEmpty {
          let slice = UnsafeRawBufferPointer(rebasing: rest)
          let offset = off_t(state.count + bytes.count - rest.count)
          let count = pwrite(descriptor, slice.baseAddress, slice.count, offset)
          if count < 0 && errno == EINTR { continue }
          guard count > 0 else { return count < 0 ? errno : EIO }
          rest = rest.dropFirst(count)
        }
        return nil
      }
      if let code {
        state.failure = code
        return nil
      }
      state.count += data.count
      return data.count
    }
  }

  /// Gives the file the name `blob`, once it is on disk.
  func finish(as blob: String) throws(HubError) {
    guard fsync(descriptor) == 0, rename(path, blob) == 0 else {
      throw .system(path: blob, errno: errno)
    }
  }
}
