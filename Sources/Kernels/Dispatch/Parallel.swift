import CKernels

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
  /// Handing work to another thread costs about a microsecond while it is awake, tens when it has to
  /// be woken: make the pieces larger than that, or say with `if` when they are not. A call from
  /// within a piece stays on its thread.
  public static func forEach(_ count: Int, if worthwhile: Bool = true, _ body: (Int) -> Void) {
    let workers = worthwhile ? min(threadCount, count) : 1
    guard workers > 1 else {
      for index in 0..<max(0, count) { body(index) }
      return
    }
    withoutActuallyEscaping(body) { body in
      // Threads of the pool have no task, so no values of one either.
      var pieces = Pieces(body: body, execution: Execution.scoped)
      withUnsafeMutablePointer(to: &pieces) { pieces in
        ck_run(
          workers, count,
          { context, index in
            context?.assumingMemoryBound(to: Pieces.self).pointee.run(index)
          }, pieces)
      }
    }
  }

  /// What threads call. That pieces do not overlap is the caller's duty, as it is for every kernel.
  private struct Pieces {
    let body: (Int) -> Void
    let execution: Execution?

    func run(_ index: Int) {
      guard let execution else { return body(index) }
      Execution.$scoped.withValue(execution) { body(index) }
    }
  }

  /// Pieces per thread of what is large: a thread that lost its processor to another program then leaves
  /// its share to the others.
  private static let piecesPerThread = 4

  /// Cuts `0..<count` into as many ranges for every thread and calls `body` for each.
  ///
  /// Ranges start at multiples of `granularity` and hold at least `minimum` elements, so that
  /// small counts stay on the caller's thread.
  public static func ranges(
    _ count: Int, granularity: Int = 1, minimum: Int = 1, _ body: (Range<Int>) -> Void
  ) {
    guard count > 0 else { return }
    let threads = threadCount, most = count / max(1, minimum)
    let pieces =
      most < threads ? most : min(Self.piecesPerThread, most / max(1, threads)) * threads
    guard threads > 1, pieces > 1 else { return body(0..<count) }
    let units = (count + granularity - 1) / granularity
    forEach(pieces) { piece in
      let start = units * piece / pieces * granularity
      let end = min(count, units * (piece + 1) / pieces * granularity)
      if start < end { body(start..<end) }
    }
  }
}
