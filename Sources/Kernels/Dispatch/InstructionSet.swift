import CKernels

/// The instruction sets the C kernels are compiled for.
///
/// The best one the CPU has is used; tests choose lower ones to cover every path on one machine,
/// and users can with `SPIKINGBRAIN_ISA=generic|avx2|avx512`.
public enum InstructionSet: Int32, Sendable, CaseIterable, Comparable {
  /// What the compiler targets by default: SSE2 on x86-64, NEON on arm64.
  case generic = 0
  /// AVX2 with FMA and F16C.
  case avx2 = 1
  /// AVX-512 F, BW, VL and DQ.
  case avx512 = 2

  /// The best set this CPU has.
  public static var detected: InstructionSet {
    InstructionSet(rawValue: ck_isa_detected()) ?? .generic
  }

  /// The set in use. Setting one the CPU lacks selects the best it has.
  public static var current: InstructionSet {
    get { InstructionSet(rawValue: ck_isa()) ?? .generic }
    set { ck_isa_set(newValue.rawValue) }
  }

  /// The sets this CPU can run, slowest first.
  public static var available: [InstructionSet] { allCases.filter { $0 <= detected } }

  /// Whether bfloat16 dot products (AVX512-BF16) are used: the CPU has them, and no lower set than
  /// `avx512` is selected.
  public static var hasBFloat16Products: Bool { ck_isa_bf16() != 0 }

  public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
    left.rawValue < right.rawValue
  }
}
