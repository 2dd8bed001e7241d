import CKernels

/// The instruction sets the C kernels are compiled for: a ladder, each level with all that is below.
///
/// The best one the CPU has is used; tests choose lower ones to cover every path on one machine
/// (`Execution.with`), and users can with `SPIKINGBRAIN_ISA`, by the names of the cases.
public enum InstructionSet: Int32, Sendable, CaseIterable, Comparable {
  /// What the compiler targets by default: SSE2 on x86-64, NEON on arm64.
  case generic = 0
  /// AVX2 with FMA and F16C.
  case avx2 = 1
  /// AVX-512 F, BW, VL and DQ.
  case avx512 = 2
  /// AVX-512 with dot products of bytes (VNNI).
  case avx512vnni = 3
  /// AVX-512 with dot products of bfloat16 numbers too (BF16).
  case avx512bf16 = 4
  /// AMX tiles of bfloat16 numbers too.
  case amx = 5

  /// The best set this CPU has.
  public static let detected = InstructionSet(rawValue: ck_isa_detected()) ?? .generic

  /// The set in use.
  public static var current: InstructionSet { Execution.current.instructionSet }

  /// The sets this CPU can run, slowest first.
  public static var available: [InstructionSet] { allCases.filter { $0 <= detected } }

  public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
    left.rawValue < right.rawValue
  }
}
