import CKernels
import Dispatch
import Synchronization

/// Data parallelism over a fixed number of threads.
///
/// Work is cut into pieces whose bounds depend on nothing but the counts, so results do not
/// depend on which thread runs a piece.
public enum Parallel {
  /// How many threads the kernels use here (`Execution.current`); setting it sets what applies to
  /// the whole process where no task says otherwise.
  public static var threadCount: Int {
    get { Execution.current.threadCount }
    set {
      let now = Execution.standard
      Execution.standard = Execution(
        threadCount: newValue, instructionSet: now.instructionSet, precision: now.precision)
    }
  }

  /// CPUs this process may run on (its affinity mask, not what the machine has).
  public static let availableProcessors = max(1, Int(ck_available_processors()))

  /// Calls `body(index)` for every index in `0..<count`, on up to `threadCount` threads, which have
  /// the caller's `Execution`.
  ///
  /// Indices are handed out one by one as threads become free, so pieces may differ in cost.
  /// Handing work to another thread costs tens of microseconds: make the pieces large, or say with
  /// `if` when they are not.
  public static func forEach(_ count: Int, if worthwhile: Bool = true, _ body: (Int) -> Void) {
    let workers = worthwhile ? min(threadCount, count) : 1
    guard workers > 1 else {
      for index in 0..<max(0, count) { body(index) }
      return
    }
    let next = Atomic<Int>(0)
    // Threads of the pool have no task, so no values of one either.
    let execution = Execution.scoped
    withoutActuallyEscaping(body) { body in
      let shared = SharedBody(call: body)
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        Execution.$scoped.withValue(execution) {
          while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < count else { return }
            shared.call(index)
          }
        }
      }
    }
  }

  /// Bodies write through unsafe pointers, which are not `Sendable`; that the pieces do not
  /// overlap is the caller's duty, as it is for every kernel here.
  private struct SharedBody: @unchecked Sendable {
    var call: (Int) -> Void
  }

  /// Cuts `0..<count` into one range per thread and calls `body` for each.
  ///
  /// Ranges start at multiples of `granularity` and hold at least `minimum` elements, so that
  /// small counts stay on the caller's thread.
  public static func ranges(
    _ count: Int, granularity: Int = 1, minimum: Int = 1, _ body: (Range<Int>) -> Void
  ) {
    guard count > 0 else { return }
    let pieces = max(1, min(threadCount, count / max(1, minimum)))
    guard pieces > 1 else { return body(0..<count) }
    let units = (count + granularity - 1) / granularity
    forEach(pieces) { piece in
      let start = units * piece / pieces * granularity
      let end = min(count, units * (piece + 1) / pieces * granularity)
      if start < end { body(start..<end) }
    }
  }
}
