import CKernels
import Foundation
import Synchronization

/// What multiplies two matrices on one thread.
///
/// Which one is fastest is measured, not assumed from the processor's name: bfloat16 dot products are
/// twice as fast as float32 on Zen 4 and half as fast on a 5th generation Xeon.
public enum ProductKernel: String, Sendable, CaseIterable {
  /// Multiply-adds of float32.
  case float32
  /// AVX-512 dot products of bfloat16 pairs.
  case bfloat16
  /// AMX tiles of bfloat16 pairs.
  case amx
  /// What AMX does, step by step: for tests.
  case amxModel

  /// Whether this CPU has it, at the instruction set in use.
  public var isAvailable: Bool {
    switch self {
    case .float32: true
    case .bfloat16: InstructionSet.current >= .avx512bf16
    case .amx: InstructionSet.current >= .amx
    case .amxModel: false
    }
  }

  /// Whether operands are rounded to bfloat16.
  public var rounds: Bool { self != .float32 }

  func run(_ product: ck_product) {
    switch self {
    case .float32: ck_f32_product(Execution.isa, product)
    case .bfloat16: ck_bf16_product(product)
    case .amx: ck_amx_product(product)
    case .amxModel: ck_amx_model_product(product)
    }
  }

  // MARK: Choice

  /// What products that may round their operands to bfloat16 use: the fastest kernel there is, or what
  /// `SPIKINGBRAIN_PRODUCT` names, if it is there.
  public static var fastest: ProductKernel {
    let available = allCases.filter(\.isAvailable)
    guard available.count > 1 else { return .float32 }
    if let named, named.isAvailable { return named }
    let set = InstructionSet.current
    return chosen.withLock { chosen in
      if let kernel = chosen[set] { return kernel }
      let rates = available.map { (kernel: $0, rate: $0.gigaflops) }
      let best = rates.max { $0.rate < $1.rate }?.kernel ?? .float32
      chosen[set] = best
      return best
    }
  }

  private static let named = ProcessInfo.processInfo.environment["SPIKINGBRAIN_PRODUCT"]
    .flatMap(ProductKernel.init)
  private static let chosen = Mutex<[InstructionSet: ProductKernel]>([:])

  /// Billions of operations per second of one thread, of the best of some products of a size that
  /// layers have; 0 when a result is not that of float32 within rounding, and so never chosen.
  public var gigaflops: Double {
    let m = 128, n = 256, k = 512
    var state: UInt32 = 1
    func random(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31
      }
    }
    let a = random(m * k), b = random(n * k)
    func product(_ kernel: ProductKernel, into c: inout [Float]) {
      Product.multiply(
        .transposedRight, a, stride: k, b, stride: k, m: m, n: n, k: k, into: &c, stride: n,
        by: kernel)
    }
    var result = [Float](repeating: .nan, count: m * n), expected = result
    product(.float32, into: &expected)
    var best = Double.infinity
    for _ in 0..<4 {
      let start = ContinuousClock.now
      product(self, into: &result)
      best = min(best, start.duration(to: .now) / .seconds(1))
    }
    // Sums of 512 products of numbers in -1...1, each off by at most 2^-7 of itself.
    let isRight = zip(result, expected).allSatisfy { abs($0 - $1) < 0.5 }
    return isRight ? 2e-9 * Double(m * n * k) / best : 0
  }

  /// Sides below which the tiles of rounding kernels would be mostly padding.
  private static let side = 16
  /// Multiply-adds below which packing costs what the faster instruction saves.
  private static let work = 1 << 17

  /// What a product of these sizes uses at `precision`.
  static func kernel(
    _ precision: MatrixProduct.Precision, m: Int, n: Int, k: Int
  ) -> ProductKernel {
    guard precision == .bfloat16, min(m, n, k) >= side,
      Double(m) * Double(n) * Double(k) >= Double(work)
    else { return .float32 }
    return fastest
  }
}
