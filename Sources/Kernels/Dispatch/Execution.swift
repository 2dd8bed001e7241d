import Foundation
import Synchronization

/// How the kernels run: on how many threads, with which instruction set, and what they may round.
///
/// A value of the task, or of the process where a task says nothing: `Execution.with` changes it for
/// what it calls, on whatever threads `Parallel` runs that, and for nobody else. So two tests, or two
/// parts of a program, can differ side by side.
public struct Execution: Sendable, Hashable {
  /// How many threads the kernels use, at least 1, which runs everything on the caller's thread.
  public let threadCount: Int
  /// The instruction set in use; never one that this CPU lacks.
  public let instructionSet: InstructionSet
  /// What products round their operands to when nothing else is said.
  public let precision: MatrixProduct.Precision

  /// A value within what is possible: at least one thread, at most the detected instruction set.
  public init(threadCount: Int, instructionSet: InstructionSet, precision: MatrixProduct.Precision)
  {
    self.threadCount = max(1, threadCount)
    self.instructionSet = min(instructionSet, .detected)
    self.precision = precision
  }

  /// What applies here.
  public static var current: Execution { scoped ?? standard }

  /// What applies where no task says otherwise. A program sets it once, before any work.
  ///
  /// At first: as many threads as CPUs that this process may run on, the instruction set that
  /// `SPIKINGBRAIN_ISA` names or else the best one, and float32.
  public static var standard: Execution {
    get { Execution(code: process.load(ordering: .relaxed)) }
    set { process.store(newValue.code, ordering: .relaxed) }
  }

  /// Calls `body` with some of what applies here changed.
  public static func with<Result>(
    threadCount: Int? = nil, instructionSet: InstructionSet? = nil,
    precision: MatrixProduct.Precision? = nil, _ body: () throws -> Result
  ) rethrows -> Result {
    let now = current
    let changed = Execution(
      threadCount: threadCount ?? now.threadCount,
      instructionSet: instructionSet ?? now.instructionSet, precision: precision ?? now.precision)
    return try $scoped.withValue(changed, operation: body)
  }

  /// The instruction set in use, as the C kernels take it. A look-up costs some 40 ns: not within
  /// loops over short rows.
  static var isa: Int32 { current.instructionSet.rawValue }

  /// What a task said.
  @TaskLocal static var scoped: Execution?
}

extension Execution {
  private static let process = Atomic<UInt64>(first.code)

  private static var first: Execution {
    let name = ProcessInfo.processInfo.environment["SPIKINGBRAIN_ISA"]
    let set = InstructionSet.allCases.first { "\($0)" == name }
    return Execution(
      threadCount: Parallel.availableProcessors, instructionSet: set ?? .detected,
      precision: .float32)
  }

  /// All of it in one word, so that it can be read without a lock.
  private var code: UInt64 {
    UInt64(threadCount) << 16 | UInt64(instructionSet.rawValue) << 8
      | (precision == .bfloat16 ? 1 : 0)
  }

  private init(code: UInt64) {
    self.init(
      threadCount: Int(code >> 16),
      instructionSet: InstructionSet(rawValue: Int32(code >> 8 & 0xff)) ?? .generic,
      precision: code & 1 == 1 ? .bfloat16 : .float32)
  }
}
