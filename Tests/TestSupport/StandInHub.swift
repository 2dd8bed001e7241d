import Checkpoints
import Foundation
import Synchronization

/// A Hub of one model on this machine, with a store on another port for its large files; faults can be
/// planted.
public final class StandInHub: Sendable {
  /// What the model is called.
  public static let name = "tests/tiny"
  /// The commit that every revision stands for.
  public static let commit = "0123456789abcdef0123456789abcdef01234567"

  /// What becomes of an answer, once.
  public enum Fault: Sendable {
    /// The connection ends after so many bytes of the body.
    case cut(after: Int)
    /// Another status, with headers.
    case status(Int, [String: String] = [:])
    /// Other bytes, as many.
    case damage
    /// The whole file, whatever part was asked for.
    case noRanges
    /// Nothing, for so many seconds.
    case silence(Double)
  }

  /// Where the model is asked for.
  public let hub: LoopbackServer
  /// Where its large files are.
  public let store: LoopbackServer
  private let contents: Contents

  /// A Hub with these files; those of weights are in the store.
  ///
  /// - Parameter token: what has to be sent along; nil where everybody may read.
  public init(_ files: [String: [UInt8]], token: String? = nil) throws {
    let contents = Contents(files, token: token)
    let store = try LoopbackServer { contents.stored($0) }
    let address = store.url
    self.contents = contents
    self.store = store
    hub = try LoopbackServer { contents.answer($0, store: address) }
  }

  /// A Hub with the files of the directory `path`.
  public convenience init(directory path: String, token: String? = nil) throws {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      files[name] = try Files.bytes(path + "/" + name)
    }
    try self.init(files, token: token)
  }

  /// Plants faults in the next answers that have to do with `file`, the listing where it is empty; in
  /// those of the store where the file is there.
  public func plant(_ faults: Fault..., in file: String) { contents.plant(faults, in: file) }

  /// The environment of a program that uses this Hub, with the cache in `home`.
  public func environment(home: String) -> [String: String] {
    ["HF_ENDPOINT": hub.url, "HF_HOME": home, "HOME": home]
  }

  /// The parts of `file` that were asked for, in order; nil for all of it.
  public func ranges(of file: String) -> [String?] {
    (hub.requests + store.requests)
      .filter { $0.method == "GET" && $0.path.hasSuffix("/" + file) }.map { $0.headers["range"] }
  }

  /// The files, and what is planted.
  private final class Contents: Sendable {
    private let files: [String: [UInt8]]
    private let token: String?
    private let faults = Mutex<[String: [Fault]]>([:])

    init(_ files: [String: [UInt8]], token: String?) {
      self.files = files
      self.token = token
    }

    func plant(_ planted: [Fault], in file: String) {
      faults.withLock { $0[file, default: []] += planted }
    }

    private func fault(in file: String) -> Fault? {
      faults.withLock { faults in
        guard let first = faults[file]?.first else { return nil }
        faults[file]?.removeFirst()
        return first
      }
    }

    static func isLarge(_ name: String) -> Bool {
      [".safetensors", ".bin", ".gguf"].contains(where: name.hasSuffix)
    }

    /// The answer of the Hub.
    func answer(_ request: LoopbackServer.Request, store: String) -> LoopbackServer.Reply {
      if let token, request.headers["authorization"] != "Bearer " + token {
        return .init(401, ["X-Error-Code": "GatedRepo"])
      }
      let path = request.path.removingPercentEncoding ?? ""
      if path.hasPrefix("/api/models/\(name)/revision/") {
        let list = files.keys.sorted().map { "{\"rfilename\":\"\($0)\"}" }.joined(separator: ",")
        return reply(
          .init(200, body: Array("{\"sha\":\"\(commit)\",\"siblings\":[\(list)]}".utf8)), in: "",
          all: [])
      }
      let place = "/\(name)/resolve/\(commit)/"
      let file = String(path.dropFirst(place.count))
      guard path.hasPrefix(place), let bytes = files[file] else {
        return .init(
          404, ["X-Error-Code": path.hasPrefix(place) ? "EntryNotFound" : "RepoNotFound"])
      }
      guard Self.isLarge(file) else {
        return reply(
          part(bytes, request, ["ETag": "\"\(TestDigest.gitBlob(bytes))\""]), in: file, all: bytes)
      }
      // As on the Hub: what is known of the file is told here, its bytes are elsewhere.
      let hash = SHA256.hash(bytes).hex
      return .init(
        302,
        [
          "Location": "\(store)/objects/\(file)?signature=secret", "X-Linked-Etag": "\"\(hash)\"",
          "X-Linked-Size": "\(bytes.count)", "X-Repo-Commit": commit,
        ])
    }

    /// The answer of the store.
    func stored(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
      let path = request.path.prefix { $0 != "?" }
      let file = String(path.dropFirst("/objects/".count))
      guard let bytes = files[file] else { return .init(404) }
      // A store answers to the signature alone.
      if request.headers["authorization"] != nil { return .init(400) }
      return reply(part(bytes, request, [:]), in: file, all: bytes)
    }

    private func part(
      _ bytes: [UInt8], _ request: LoopbackServer.Request, _ headers: [String: String]
    ) -> LoopbackServer.Reply {
      guard let range = request.headers["range"]?.dropFirst("bytes=".count) else {
        return .init(200, headers, body: bytes)
      }
      let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      let start = ends[0] ?? 0, end = min((ends[1] ?? .max - 1) + 1, bytes.count)
      guard start < end else { return .init(416) }
      var headers = headers
      headers["Content-Range"] = "bytes \(start)-\(end - 1)/\(bytes.count)"
      return .init(206, headers, body: Array(bytes[start..<end]))
    }

    private func reply(
      _ reply: LoopbackServer.Reply, in file: String, all: [UInt8]
    ) -> LoopbackServer.Reply {
      var reply = reply
      switch fault(in: file) {
      case .cut(let count): reply.cut = count
      case .status(let status, let headers): return .init(status, headers)
      case .damage: reply.body = reply.body.map { $0 ^ 1 }
      case .noRanges: return .init(200, body: all)
      case .silence(let seconds): reply.delay = seconds
      case nil: break
      }
      return reply
    }

    private var name: String { StandInHub.name }
    private var commit: String { StandInHub.commit }
  }
}

/// A hash computed apart from the program.
public enum TestDigest {
  /// What git calls a file of these bytes.
  public static func gitBlob(_ bytes: [UInt8]) -> String {
    sha1(Array("blob \(bytes.count)".utf8) + [0] + bytes)
  }

  /// SHA-1, as FIPS 180-4 defines it.
  public static func sha1(_ message: [UInt8]) -> String {
    var bytes = message + [0x80]
    while bytes.count % 64 != 56 { bytes.append(0) }
    bytes += withUnsafeBytes(of: UInt64(8 * message.count).bigEndian) { Array($0) }
    var hash: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x << n | x >> (32 - n) }
    for start in stride(from: 0, to: bytes.count, by: 64) {
      var w = (0..<16).map { word in
        (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[start + 4 * word + $1]) }
      }
      for t in 16..<80 { w.append(rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)) }
      var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
      for t in 0..<80 {
        let (f, k): (UInt32, UInt32) =
          switch t {
          case ..<20: (b & c | ~b & d, 0x5a82_7999)
          case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
          case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
          default: (b ^ c ^ d, 0xca62_c1d6)
          }
        (a, b, c, d, e) = (rotate(a, 5) &+ f &+ e &+ k &+ w[t], a, rotate(b, 30), c, d)
      }
      for (index, value) in [a, b, c, d, e].enumerated() { hash[index] &+= value }
    }
    return hash.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }
}
