import Checkpoints
import Foundation
import Foundations
import StrictJSON
import Synchronization

/// Asks a Hub about one repository.
struct HubClient: Sendable {
  let settings: HubSettings
  let reference: HubReference
  /// Told what a user should know meanwhile.
  let note: @Sendable (String) -> Void

  init(
    _ settings: HubSettings, _ reference: HubReference, note: @escaping @Sendable (String) -> Void
  ) {
    self.settings = settings
    self.reference = reference
    self.note = note
  }

  func connection() -> HubConnection { HubConnection(silence: settings.patience.silence) }

  /// Most bytes of an answer that is read at once.
  private static let longestAnswer = 64 << 20
  /// More of them lead in a circle.
  private static let mostRedirections = 10

  // Asking once.

  /// What came of one request.
  enum Outcome {
    case done(HubResponse)
    /// It may go better another time; `wait` seconds are asked for.
    case temporary(HubError, wait: Int? = nil)
  }

  /// Sends one request, and follows redirections. The token goes to the Hub alone.
  ///
  /// - Parameters:
  ///   - file: what is asked for, for messages; nil for the repository.
  ///   - isEnough: whether a redirection is all that was to be known.
  ///   - take: is given the bytes of an answer that is none of an error, with the answer's head.
  func ask(
    _ place: URL, method: String = "GET", on connection: HubConnection, file: String? = nil,
    range: String? = nil, isEnough: (HubResponse) -> Bool = { _ in false },
    take: @escaping @Sendable (HubResponse, Data) -> Bool = { _, _ in true }
  ) throws(HubError) -> Outcome {
    var url = place
    for _ in 0...Self.mostRedirections {
      let isHub = url.isSameServer(as: settings.endpoint)
      let response: HubResponse
      do throws(HubConnection.Cut) {
        response = try connection.send(
          url, method: method, token: isHub ? settings.token : nil, range: range
        ) { response, data in
          // What an error has to say is in its headers.
          (200..<300).contains(response.status) ? take(response, data) : true
        }
      } catch {
        return .temporary(
          .unreachable(reference.text, url: url.shortText, reason: error.reason))
      }
      guard let next = response.redirection else {
        return try outcome(response, isHub: isHub, file: file)
      }
      if isEnough(response) { return .done(response) }
      guard let scheme = next.scheme, ["http", "https"].contains(scheme), next.host != nil,
        scheme == "https" || url.scheme == "http"
      else {
        throw .answer(
          reference.text, url: url.shortText,
          reason: "it leads to \(next.shortText), where nothing is fetched from")
      }
      url = next
    }
    throw .answer(
      reference.text, url: place.shortText, reason: "it leads on and on to other places")
  }

  /// What an answer that leads nowhere else means.
  private func outcome(
    _ response: HubResponse, isHub: Bool, file: String?
  ) throws(HubError) -> Outcome {
    let name = reference.text, page = settings.page(of: reference)
    let hasToken = settings.token != nil
    let failed = HubError.server(name, url: response.url.shortText, status: response.status)
    switch response.status {
    case 200..<300: return .done(response)
    case 429:
      let wait = response.wait()
      return .temporary(.limited(name, seconds: wait), wait: wait)
    case 408, 500..<600: return .temporary(failed, wait: response.wait())
    // The address of a store is good for some minutes only.
    case 400..<500 where !isHub: return .temporary(failed)
    case 401 where response["x-error-code"] == "GatedRepo" && !hasToken, 403:
      throw .forbidden(name, page: page, hasToken: hasToken)
    case 401: throw .unauthorized(name, page: page, hasToken: hasToken)
    case 404, 410: throw .notFound(name, what: missing(response["x-error-code"], file))
    default: throw failed
    }
  }

  /// What is not there, by the Hub's own word for it where it has one.
  private func missing(_ code: String?, _ file: String?) -> HubError.Part {
    if let file, code == nil || code == "EntryNotFound" { return .file(file) }
    if let revision = reference.revision, code != "RepoNotFound" { return .revision(revision) }
    return .repository
  }

  // Asking until there is an answer.

  /// The whole answer of `path`, of bounded size.
  private func read(
    _ url: URL, on connection: HubConnection, file: String? = nil, range: String? = nil
  ) throws(HubError) -> (response: HubResponse, bytes: [UInt8]) {
    let bytes = ReceivedBytes(limit: Self.longestAnswer)
    let response = try insist { () throws(HubError) in
      bytes.clear()
      return try ask(
        url, on: connection, file: file, range: range, take: { bytes.append($1) })
    }
    guard let found = bytes.found else {
      throw .answer(
        reference.text, url: url.shortText,
        reason: "the answer is longer than \(ByteSize(Self.longestAnswer))")
    }
    return (response, found)
  }

  /// Asks again, after a pause, as long as it may help.
  private func insist(
    _ ask: () throws(HubError) -> Outcome
  ) throws(HubError) -> HubResponse {
    var attempts = HubAttempts(settings.patience, note: note)
    while true {
      switch try ask() {
      case .done(let response): return response
      case .temporary(let error, let wait): try attempts.failed(error, wait: wait)
      }
    }
  }

  /// The commit that the revision stands for, and the names of its files.
  func listing(on connection: HubConnection) throws(HubError) -> (commit: String, files: [String]) {
    let revision = reference.revision ?? HubReference.defaultRevision
    let url = try url(["api", "models"] + repository + ["revision", revision[...]])
    let answer = try read(url, on: connection)
    let json: JSONValue
    do {
      json = try JSONParser.parse(answer.bytes, limit: .tensors)
    } catch {
      throw .answer(reference.text, url: url.shortText, reason: error.what)
    }
    guard let commit = json["sha"]?.string, HubReference.isCommit(commit),
      let files = json["siblings"]?.array?.map({ $0["rfilename"]?.string })
    else {
      throw .answer(
        reference.text, url: url.shortText, reason: "expected \"sha\", a commit, and \"siblings\"")
    }
    let names = files.compactMap(\.self)
    guard names.count == files.count, names.allSatisfy(RelativeName.isValid) else {
      throw .answer(
        reference.text, url: url.shortText, reason: "\"siblings\" holds what is no name of a file")
    }
    return (commit, names.sorted())
  }

  /// How large the file `name` is, and its hash.
  func file(
    _ name: String, at commit: String, on connection: HubConnection
  ) throws(HubError) -> HubFile {
    let url = try url(of: name, at: commit)
    let response = try insist { () throws(HubError) in
      try ask(
        url, method: "HEAD", on: connection, file: name,
        isEnough: { response in
          response["x-linked-etag"] != nil && response["x-linked-size"] != nil
            || response["etag"] != nil && response["x-linked-size"] != nil
        })
    }
    let tag = response["x-linked-etag"] ?? response["etag"]
    let size = response["x-linked-size"] ?? response["content-length"]
    guard let tag = tag.flatMap(HubFile.plain), let size = size.flatMap({ Int($0) }), size >= 0
    else {
      throw .answer(
        reference.text, url: url.shortText,
        reason: "the size and the ETag of the file are not told: is this a Hub?")
    }
    return HubFile(name: name, size: size, tag: tag)
  }

  /// The first `count` bytes of a file, or from `start` on.
  func bytes(
    of file: HubFile, at commit: String, _ range: Range<Int>, on connection: HubConnection
  ) throws(HubError) -> [UInt8] {
    if range.isEmpty { return [] }
    let url = try url(of: file.name, at: commit)
    let isWhole = range == 0..<file.size
    let (response, bytes) = try read(
      url, on: connection, file: file.name,
      range: isWhole ? nil : "\(range.lowerBound)-\(range.upperBound - 1)")
    // A server that knows no ranges sends all.
    let found =
      response.status == 206 && response.part?.start == range.lowerBound
      ? bytes : Array(bytes.dropFirst(range.lowerBound).prefix(range.count))
    guard found.count == range.count else {
      throw .answer(
        reference.text, url: url.shortText,
        reason: "expected \(range.count) bytes from byte \(range.lowerBound), got \(found.count)")
    }
    return found
  }

  /// Where a file is asked for.
  func url(of name: String, at commit: String) throws(HubError) -> URL {
    try url(repository + ["resolve", commit[...]] + name.split(separator: "/"))
  }

  private var repository: [Substring] { reference.repository.split(separator: "/") }

  private func url(_ parts: [Substring]) throws(HubError) -> URL {
    guard let url = settings.url(parts) else { throw .name(reference.text) }
    return url
  }
}

/// A file of a repository.
struct HubFile: Sendable, Equatable {
  let name: String
  let size: Int
  /// Its ETag without quotes, by which the cache calls it: a SHA-256 of large files, of others the hash
  /// that git has for them.
  let tag: String

  /// An ETag without what stands around it; nil for one that is no name.
  static func plain(_ text: String) -> String? {
    let tag = (text.hasPrefix("W/") ? text.dropFirst(2) : text[...]).filter { $0 != "\"" }
    return RelativeName.isValid(tag) && !tag.contains("/") ? tag : nil
  }
}

/// Counts attempts that bring nothing, and pauses between them.
struct HubAttempts {
  private let patience: HubSettings.Patience
  private let note: @Sendable (String) -> Void
  private var failures = 0

  init(_ patience: HubSettings.Patience, note: @escaping @Sendable (String) -> Void) {
    self.patience = patience
    self.note = note
  }

  /// Waits before the next attempt, as long as is asked for; throws `error` when it was the last one, or
  /// would have to wait too long.
  mutating func failed(_ error: HubError, wait: Int?) throws(HubError) {
    failures += 1
    let pause = wait.map(Double.init) ?? patience.pause * Double(1 << (failures - 1))
    guard failures < patience.attempts, pause <= patience.longestPause else { throw error }
    if pause >= 5 { note("note: \(error.what): trying again in \(fixed(pause, 0)) s") }
    Thread.sleep(forTimeInterval: pause)
  }

  /// Something arrived: what failed before does not count.
  mutating func succeeded() { failures = 0 }
}

/// The body of an answer, which is not to be longer than a limit.
private final class ReceivedBytes: Sendable {
  private let limit: Int
  private let bytes = Mutex<[UInt8]?>([])

  init(limit: Int) { self.limit = limit }

  func clear() { bytes.withLock { $0 = [] } }

  /// Adds `data`; returns whether there is room for more.
  func append(_ data: Data) -> Bool {
    bytes.withLock { bytes in
      if (bytes?.count ?? 0) + data.count > limit { bytes = nil }
      bytes?.append(contentsOf: data)
      return bytes != nil
    }
  }

  /// All of it; nil when it was too long.
  var found: [UInt8]? { bytes.withLock { $0 } }
}

extension URL {
  /// Whether both are addresses of one server: scheme, host and port.
  func isSameServer(as other: URL) -> Bool {
    scheme == other.scheme && host?.lowercased() == other.host?.lowercased()
      && serverPort == other.serverPort
  }

  private var serverPort: Int? { port ?? (scheme == "https" ? 443 : scheme == "http" ? 80 : nil) }

  /// The address without what may be secret in it.
  var shortText: String {
    var parts = URLComponents(url: self, resolvingAgainstBaseURL: true)
    parts?.query = nil
    parts?.user = nil
    parts?.password = nil
    parts?.fragment = nil
    return parts?.string ?? host ?? "?"
  }
}
