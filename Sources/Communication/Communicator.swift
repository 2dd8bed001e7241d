import Foundation

/// The processes that make one result together, as one of them sees them.
///
/// Every operation is called by all ranks in the same order. Each begins by hearing whether all are
/// well: when one has failed, all throw the same `RunFailure` instead, so that no rank waits for
/// another that is gone. With a single rank nothing is exchanged and nothing costs time.
public struct Communicator: Sendable {
  private let transport: (any Transport)?

  /// This process alone.
  public static let single = Communicator(transport: nil)

  /// The ranks that `transport` connects; one alone needs none.
  public init(_ transport: any Transport) { self.init(transport: transport) }

  private init(transport: (any Transport)?) { self.transport = transport }

  /// The number of this process, from 0.
  public var rank: Int { transport?.rank ?? 0 }
  /// The number of processes.
  public var size: Int { transport?.size ?? 1 }
  /// Whether this is the one that speaks, decides and owns what is written.
  public var isFirst: Bool { rank == 0 }

  /// Runs `body`, and waits until it has ended on all ranks. Throws on all when it threw on one.
  public func together<Result>(_ body: () throws -> Result) throws -> Result {
    guard transport != nil else { return try body() }
    let result: Result
    do {
      result = try body()
    } catch let failure as RunFailure {
      // The others know: it is thrown on all ranks at once.
      throw failure
    } catch {
      try agree(RunFailure(error, rank: rank, of: size))
      throw error
    }
    try agree(nil)
    return result
  }

  /// What `body` gives on the first rank, on all of them; the others wait.
  public func first<Value: Codable>(_ body: () throws -> Value) throws -> Value {
    guard transport != nil else { return try body() }
    var bytes = try together { isFirst ? Self.encode(try body()) : [] }
    try broadcast(&bytes)
    return try Self.decode(bytes)
  }

  /// Every rank's `value`, in the order of ranks, on all of them.
  public func all<Value: Codable>(_ value: Value) throws -> [Value] {
    guard let transport else { return [value] }
    try agree(nil)
    let parts = transport.gather(Self.encode(value))
    let texts = try first { parts.map { String(decoding: $0, as: UTF8.self) } }
    return try texts.map { try Self.decode(Array($0.utf8)) }
  }

  /// The numbers of all ranks, those of the first in front, on all of them.
  public func joined(_ values: [Float]) throws -> [Float] {
    guard let transport else { return values }
    try agree(nil)
    var bytes = transport.gather(values.withUnsafeBytes { Array($0) }).flatMap { $0 }
    try broadcast(&bytes)
    return [Float](unsafeUninitializedCapacity: bytes.count / MemoryLayout<Float>.stride) {
      UnsafeMutableRawBufferPointer($0).copyBytes(from: bytes)
      $1 = $0.count
    }
  }

  /// Replaces numbers by their sums over all ranks, the same bits on each.
  public func sum(_ values: inout [Double]) throws {
    try values.withUnsafeMutableBufferPointer { try sum($0) }
  }

  /// Replaces numbers by their sums over all ranks, the same bits on each.
  public func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
    guard let transport else { return }
    try agree(nil)
    transport.sum(values)
  }

  /// Replaces numbers by their sums over all ranks, the same bits on each.
  public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws {
    guard let transport else { return }
    try agree(nil)
    transport.sum(values)
  }

  /// Replaces numbers by those of the first rank.
  public func broadcast(_ values: UnsafeMutableBufferPointer<Float>) throws {
    guard let transport else { return }
    try agree(nil)
    transport.broadcast(UnsafeMutableRawBufferPointer(values), from: 0)
  }

  /// The end of the run, called once by every rank.
  public func finish() { transport?.finish() }

  /// Waits for all ranks; throws the failure of the lowest one that has one.
  private func agree(_ failure: RunFailure?) throws(RunFailure) {
    guard let transport else { return }
    let worst = transport.maximum(failure == nil ? 0 : size - rank)
    guard worst > 0 else { return }
    let failed = size - worst
    var bytes = failed == rank ? failure.map(Self.encode) ?? [] : []
    exchange(&bytes, from: failed, transport)
    throw (try? Self.decode(bytes)) ?? RunFailure(rank: failed, of: size)
  }

  /// Gives all ranks the bytes of the first, which the others need not know the number of.
  private func broadcast(_ bytes: inout [UInt8]) throws {
    guard let transport else { return }
    try agree(nil)
    exchange(&bytes, from: 0, transport)
  }

  private func exchange(_ bytes: inout [UInt8], from root: Int, _ transport: any Transport) {
    let count = transport.maximum(rank == root ? bytes.count : 0)
    if rank != root { bytes = [UInt8](repeating: 0, count: count) }
    bytes.withUnsafeMutableBytes { transport.broadcast($0, from: root) }
  }

  // In an array, since a JSON document was no bare value once.
  private static func encode(_ value: some Encodable) -> [UInt8] {
    (try? JSONEncoder().encode([value])).map(Array.init) ?? []
  }

  private static func decode<Value: Decodable>(_ bytes: [UInt8]) throws -> Value {
    try JSONDecoder().decode([Value].self, from: Data(bytes))[0]
  }
}
