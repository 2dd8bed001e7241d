import Kernels
import Synchronization

/// Works on frames on all threads in bounded memory, and hands the results over in order.
///
/// While one batch of frames is being worked on, the results of the batch before are delivered, on
/// one of the same threads. Results do not depend on how many threads there are.
final class FramePipeline<Worker: Sendable> {
  private let batch: Int
  private let slotBytes: Int
  private let slots: UnsafeMutableRawBufferPointer
  private let lengths: UnsafeMutableBufferPointer<Int>
  private let idle = Mutex<[Worker]>([])
  private let makeWorker: () -> Worker

  /// What a frame of a batch takes at most, twice: mapped pages, its result, and a worker's state.
  private static var memoryPerFrame: Int { 8 << 20 }

  /// - Parameters:
  ///   - slotBytes: the most bytes of a frame's result.
  ///   - memory: bytes that may be used, approximately; at least 8 MiB are.
  ///   - makeWorker: makes what a thread needs to work on a frame.
  init(slotBytes: Int, memory: Int, makeWorker: @escaping () -> Worker) {
    batch = max(1, min(8 * Parallel.threadCount, memory / Self.memoryPerFrame))
    self.slotBytes = slotBytes
    self.makeWorker = makeWorker
    slots = .allocate(byteCount: 2 * batch * slotBytes, alignment: 4096)
    lengths = .allocate(capacity: 2 * batch)
  }

  deinit {
    slots.deallocate()
    lengths.deallocate()
  }

  /// Calls `work` for the frames `0 ..< count`, on any thread, and `deliver` with each frame's
  /// result in order. `work` writes to a buffer of `slotBytes` and returns how many bytes it wrote.
  /// Of several errors that of the first frame is thrown.
  func run(
    _ count: Int, work: (Int, Worker, UnsafeMutableRawBufferPointer) throws -> Int,
    deliver: (Int, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var finished = 0..<0
    while finished.upperBound < count || !finished.isEmpty {
      let current = finished.upperBound..<min(count, finished.upperBound + batch)
      let failure = Mutex<(task: Int, error: any Error)?>(nil)
      Parallel.forEach(current.count + 1) { task in
        do {
          if task == 0 {
            for frame in finished { try deliver(frame, result(frame)) }
          } else {
            let frame = current.lowerBound + task - 1
            let worker = idle.withLock { $0.popLast() } ?? makeWorker()
            defer { idle.withLock { $0.append(worker) } }
            lengths[frame % (2 * batch)] = try work(frame, worker, slot(frame))
          }
        } catch {
          failure.withLock { if task < $0?.task ?? .max { $0 = (task, error) } }
        }
      }
      if let failure = failure.withLock({ $0 }) { throw failure.error }
      finished = current
    }
  }

  private func slot(_ frame: Int) -> UnsafeMutableRawBufferPointer {
    let start = frame % (2 * batch) * slotBytes
    return UnsafeMutableRawBufferPointer(rebasing: slots[start..<start + slotBytes])
  }

  private func result(_ frame: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: slot(frame)[..<lengths[frame % (2 * batch)]])
  }
}
