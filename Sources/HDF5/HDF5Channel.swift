import Glibc

/// One end of the socket between the program and its reader of HDF5: requests go one way, answers
/// the other, each a kind and bytes whose number comes first.
struct HDF5Channel {
  let socket: Int32

  /// What a frame holds.
  enum Kind: Int {
    /// What is wanted, or what was wanted.
    case content
    /// The operation and the reason of an error, two texts.
    case fault
  }

  /// Why nothing comes.
  enum Broken: Error {
    /// The other end has gone.
    case gone
    /// It is there and does nothing.
    case idle
    /// It talks of something else.
    case strange
  }

  func send(_ kind: Kind, _ bytes: UnsafeRawBufferPointer) throws {
    var head = HDF5Message()
    head.put(kind.rawValue)
    head.put(bytes.count)
    try head.bytes.withUnsafeBytes { try send($0) }
    try send(bytes)
  }

  func send(_ kind: Kind, _ message: HDF5Message) throws {
    try message.bytes.withUnsafeBytes { try send(kind, $0) }
  }

  /// The kind and the size of the next frame, whose bytes come after.
  ///
  /// - Parameter wait: called before every read; returns when there is something.
  func head(_ wait: () throws -> Void = {}) throws -> (kind: Kind, count: Int) {
    var bytes = [UInt8](repeating: 0, count: 16)
    try bytes.withUnsafeMutableBytes { try receive($0, wait) }
    var head = HDF5Message(bytes)
    guard let kind = try? Kind(rawValue: head.number()), let count = try? head.count(most: .max)
    else { throw Broken.strange }
    return (kind, count)
  }

  /// Fills `bytes` with what comes next.
  func receive(
    _ bytes: UnsafeMutableRawBufferPointer, _ wait: () throws -> Void = {}
  ) throws {
    var done = 0
    while done < bytes.count {
      try wait()
      let count = recv(socket, bytes.baseAddress.map { $0 + done }, bytes.count - done, 0)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Broken.gone }
      done += count
    }
  }

  private func send(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      // An end that is gone is an error, not a signal.
      let count = Glibc.send(
        socket, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Broken.gone }
      done += count
    }
  }
}
