public import Communication
import Foundation

/// Ranks that are threads of this process: what several processes do, without MPI.
public enum ThreadRanks {
  /// Runs `body` as each of `count` ranks; returns what became of them, in their order.
  public static func run<Value>(
    _ count: Int, _ body: @escaping (Communicator) throws -> Value
  ) -> [Result<Value, any Error>] {
    let hub = Hub(count)
    nonisolated(unsafe) let body = body
    nonisolated(unsafe) var results = [Result<Value, any Error>?](repeating: nil, count: count)
    let lock = NSLock(), group = DispatchGroup()
    for rank in 0..<count {
      group.enter()
      let thread = Thread {
        let result = Result { try body(Communicator(ThreadTransport(hub: hub, rank: rank))) }
        lock.withLock { results[rank] = result }
        group.leave()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    group.wait()
    return results.compactMap(\.self)
  }

  /// Where all ranks meet.
  fileprivate final class Hub: @unchecked Sendable {
    let size: Int
    private let condition = NSCondition()
    private var arrived: [[UInt8]?]
    private var exchanged: [[UInt8]] = []
    private var meetings = 0

    init(_ size: Int) {
      self.size = size
      arrived = [[UInt8]?](repeating: nil, count: size)
    }

    /// Every rank's bytes, once all have come.
    func exchange(_ bytes: [UInt8], rank: Int) -> [[UInt8]] {
      condition.lock()
      defer { condition.unlock() }
      arrived[rank] = bytes
      if arrived.allSatisfy({ $0 != nil }) {
        exchanged = arrived.compactMap(\.self)
        arrived = [[UInt8]?](repeating: nil, count: size)
        meetings += 1
        condition.broadcast()
        return exchanged
      }
      let meeting = meetings
      while meetings == meeting { condition.wait() }
      return exchanged
    }
  }
}

private struct ThreadTransport: Transport {
  let hub: ThreadRanks.Hub
  let rank: Int
  var size: Int { hub.size }

  func maximum(_ value: Int) -> Int {
    numbers([value]).map { $0[0] }.max() ?? value
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {
    bytes.copyBytes(from: hub.exchange(rank == root ? Array(bytes) : [], rank: rank)[root])
  }

  func sum(_ values: UnsafeMutableBufferPointer<Double>) { add(values) }

  func sum(_ values: UnsafeMutableBufferPointer<Float>) { add(values) }

  func gather(_ bytes: [UInt8]) -> [[UInt8]] {
    let all = hub.exchange(bytes, rank: rank)
    return rank == 0 ? all : []
  }

  func finish() {}

  private func add<Number: FloatingPoint & BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<Number>
  ) {
    let all = numbers(Array(values))
    for index in values.indices { values[index] = all.reduce(0) { $0 + $1[index] } }
  }

  /// Every rank's numbers.
  private func numbers<Number: BitwiseCopyable>(_ own: [Number]) -> [[Number]] {
    hub.exchange(own.withUnsafeBytes { Array($0) }, rank: rank).map { bytes in
      bytes.withUnsafeBytes { raw in
        (0..<raw.count / MemoryLayout<Number>.stride).map {
          raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.stride, as: Number.self)
        }
      }
    }
  }
}
