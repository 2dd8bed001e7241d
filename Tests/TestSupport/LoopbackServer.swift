import Foundation
import Synchronization

/// A server of HTTP/1.1 on this machine that answers as a test says, badly too. Each connection brings one
/// request.
public final class LoopbackServer: Sendable {
  /// What was asked.
  public struct Request: Sendable {
    public let method: String
    /// The path with its query, escapes as they were sent.
    public let path: String
    /// By their names in lower case.
    public let headers: [String: String]
  }

  /// What is answered.
  public struct Reply: Sendable {
    public var status: Int
    public var headers: [String: String]
    public var body: [UInt8]
    /// The connection is cut after so many bytes of the body; nil for a whole answer.
    public var cut: Int?
    /// Seconds of silence before the answer.
    public var delay = 0.0

    public init(
      _ status: Int, _ headers: [String: String] = [:], body: [UInt8] = [], cut: Int? = nil
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.cut = cut
    }
  }

  /// The port that it listens on.
  public let port: Int
  private let descriptor: Int32
  private let answer: @Sendable (Request) -> Reply
  private let asked = Mutex<[Request]>([])

  /// Why a server could not be started.
  public struct Failure: Error {
    public let code: Int32
  }

  /// Starts a server on a free port.
  public init(_ answer: @escaping @Sendable (Request) -> Reply) throws {
    self.answer = answer
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = descriptor
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && listen(socket, 64) == 0
          && getsockname(socket, $0, &length) == 0
      }
    }
    guard isListening else { throw Failure(code: errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(socket, nil, nil)
        guard connection >= 0, let self else {
          if connection >= 0 { close(connection) }
          return
        }
        Thread.detachNewThread { self.serve(connection) }
      }
    }
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }

  /// `http://127.0.0.1:port`.
  public var url: String { "http://127.0.0.1:\(port)" }

  /// What was asked so far.
  public var requests: [Request] { asked.withLock { $0 } }

  private func serve(_ connection: Int32) {
    defer { close(connection) }
    guard let request = read(connection) else { return }
    asked.withLock { $0.append(request) }
    let reply = answer(request)
    if reply.delay > 0 { Thread.sleep(forTimeInterval: reply.delay) }
    var headers = reply.headers
    if headers["Content-Length"] == nil { headers["Content-Length"] = "\(reply.body.count)" }
    headers["Connection"] = "close"
    let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }
    let head = "HTTP/1.1 \(reply.status) As Told\r\n\(lines.joined())\r\n"
    let body = request.method == "HEAD" ? [] : Array(reply.body.prefix(reply.cut ?? .max))
    var rest = (Array(head.utf8) + body)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }

  private func read(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      let count = recv(connection, &block, block.count, 0)
      guard count > 0, bytes.count < 1 << 16 else { return nil }
      bytes += block[..<count]
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return Request(method: String(words[0]), path: String(words[1]), headers: headers)
  }
}
