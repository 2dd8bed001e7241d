import Foundation
import TensorTypes

@testable import Kernels

/// A small deterministic generator (xorshift64*), so that failures repeat.
struct Random: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }

  /// Roughly normal values: a sum of four uniform ones with the given standard deviation.
  mutating func normals(_ count: Int, deviation: Float = 1) -> [Float] {
    (0..<count).map { _ in
      let sum = (0..<4).reduce(Float(0)) { total, _ in
        total + Float.random(in: -1...1, using: &self)
      }
      return sum * deviation * 0.866
    }
  }
}

/// NaN everywhere, so that an element a kernel forgets to write shows up.
func poisoned(_ count: Int) -> [Float] { [Float](repeating: .nan, count: count) }

/// The largest |a - b| divided by the largest |b|; infinity when one has a NaN or the counts differ.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  var worst = 0.0, scale = 1e-30
  for (x, y) in zip(a, b) {
    if x.isNaN || y.isNaN { return .infinity }
    if x == y { continue }
    worst = max(worst, abs(Double(x) - Double(y)))
  }
  for y in b { scale = max(scale, abs(Double(y))) }
  return worst / scale
}

/// Runs `body` once with each instruction set of this CPU.
func forEachInstructionSet(_ body: (InstructionSet) throws -> Void) rethrows {
  for set in InstructionSet.available {
    try Execution.with(instructionSet: set) { try body(set) }
  }
}

/// Runs `body` once on each of these numbers of threads.
func forEachThreadCount(_ counts: [Int], _ body: (Int) throws -> Void) rethrows {
  for count in counts { try Execution.with(threadCount: count) { try body(count) } }
}

/// A view of raw bytes, one byte past an aligned address, as tensors in mapped files may lie.
func unalignedView(
  _ bytes: [UInt8], type: ScalarType, shape: Shape, rowOrder: RowOrder = .stored
) -> TensorView {
  let storage = MemoryStorage(count: bytes.count + 1)
  for (i, byte) in bytes.enumerated() { storage.bytes[i + 1] = byte }
  return TensorView(
    bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[1..<bytes.count + 1]), type: type,
    shape: shape, rowOrder: rowOrder, storage: storage)
}

/// A random tensor of any decodable type with values of moderate size.
func randomTensor(
  _ type: ScalarType, rows: Int, columns: Int, rowOrder: RowOrder = .stored, seed: UInt64
) -> TensorView {
  var random = Random(seed)
  var bytes: [UInt8] = []
  if type.isFloat {
    let values = random.normals(rows * columns, deviation: 0.1)
    bytes = [UInt8](repeating: 0, count: values.count * type.blockBytes)
    bytes.withUnsafeMutableBytes { target in
      guard let base = target.baseAddress else { return }
      FloatCast.encode(values, count: values.count, as: type, into: base)
    }
  } else {
    let factors: [Int] =
      switch type {
      case .q2_K: [80, 82]
      case .q3_K: [108]
      case .q6_K: [208]
      case .tq1_0: [52]
      case .tq2_0: [64]
      case .q8_0, .q4_0, .q5_0, .iq4_nl, .iq4_xs: [0]
      case .iq1_s, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s: [0]
      case .mxfp4, .iq1_m: []
      default: [0, 2]
      }
    for _ in 0..<rows * columns / type.blockElements {
      var block = (0..<type.blockBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
      // MXFP4's factor is a power of two.
      if type == .mxfp4 { block[0] = UInt8.random(in: 118...126, using: &random) }
      // IQ1_M's lies in the upper four bits of four words.
      if type == .iq1_m {
        let factor = FloatCast.float16(random.normals(1, deviation: 0.01)[0])
        for word in 0..<4 {
          let part = UInt8(factor >> (4 * word) & 15)
          block[49 + 2 * word] = block[49 + 2 * word] & 15 | part << 4
        }
      }
      for offset in factors {
        let factor = FloatCast.float16(random.normals(1, deviation: 0.01)[0])
        block[offset] = UInt8(factor & 255)
        block[offset + 1] = UInt8(factor >> 8)
      }
      bytes += block
    }
  }
  return unalignedView(bytes, type: type, shape: [rows, columns], rowOrder: rowOrder)
}

/// The golden vectors that Tests/Reference/kernels/make_golden.py writes.
struct Golden {
  private var data: Data
  private var offset = 0

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Reference/kernels")
    data = try Data(contentsOf: folder.appendingPathComponent(name + ".bin"))
  }

  /// The next `count` values.
  mutating func take<Value: BitwiseCopyable>(_ count: Int, of type: Value.Type) -> [Value] {
    let size = MemoryLayout<Value>.size
    defer { offset += count * size }
    return data.withUnsafeBytes { bytes in
      (0..<count).map { bytes.loadUnaligned(fromByteOffset: offset + $0 * size, as: Value.self) }
    }
  }

  mutating func floats(_ count: Int) -> [Float] { take(count, of: Float.self) }

  /// How many bytes are left.
  var remaining: Int { data.count - offset }
}
