import Foundation
import TensorTypes

@testable import Kernels

/// A random matrix of a floating-point type, or of random quantised blocks.
func matrix(_ type: ScalarType, rows: Int, columns: Int) -> TensorView {
  var values = Values()
  let storage = MemoryStorage(count: type.byteCount(elements: rows * columns) ?? 0)
  if type.isFloat {
    for row in 0..<rows {
      guard let base = storage.bytes.baseAddress else { break }
      FloatCast.encode(
        values.next(columns, scale: 0.05), count: columns, as: type,
        into: base + row * columns * type.blockBytes)
    }
  } else {
    let codes = values.next(storage.bytes.count, scale: 127)
    for (i, code) in codes.enumerated() { storage.bytes[i] = UInt8(bitPattern: Int8(code)) }
    // Factors of moderate size wherever the block keeps them: exponent bits cleared.
    for start in stride(from: 0, to: storage.bytes.count, by: type.blockBytes) {
      for offset in [1, 3, 209] where offset < type.blockBytes {
        storage.bytes[start + offset] = 0x20
      }
    }
  }
  return TensorView(
    bytes: UnsafeRawBufferPointer(storage.bytes), type: type, shape: [rows, columns],
    storage: storage)
}

/// The error of the first tokens and rows against the reference.
func linearError(_ weight: TensorView, tokens: Int) -> Double {
  var values = Values()
  let x = values.next(tokens * weight.columns)
  var y = [Float](repeating: .nan, count: tokens * weight.rows), expected = y
  Linear.apply(weight: weight, input: x, tokens: tokens, output: &y)
  let checked = min(tokens, 2)
  Linear.reference(weight: weight, input: x, tokens: checked, output: &expected)
  let count = checked * weight.rows
  if y.contains(where: \.isNaN) { return .infinity }
  return relativeError(Array(y[..<count]), Array(expected[..<count]))
}

@MainActor
func benchmarkProducts() {
  print("\nLinear, many tokens (GFLOP/s, decoding included)")
  for (tokens, rows, columns) in [(512, 1536, 576), (512, 4864, 896), (32, 4864, 896)] {
    for type in [ScalarType.bfloat16, .float32, .q4_1] {
      let weight = matrix(type, rows: rows, columns: columns)
      let error = linearError(weight, tokens: tokens)
      var values = Values()
      let x = values.next(tokens * columns)
      let y = UnsafeMutablePointer<Float>.allocate(capacity: tokens * rows)
      defer { y.deallocate() }
      for threads in [1, 2] {
        Parallel.threadCount = threads
        report(
          "M\(tokens) N\(rows) K\(columns) \(type), \(threads) threads",
          work: 2e-9 * Double(tokens * rows * columns), unit: "GFLOP/s", error: error,
          tolerance: 1e-5
        ) { Linear.apply(weight: weight, input: x, tokens: tokens, output: y) }
      }
    }
  }
}

@MainActor
func benchmarkVectors() {
  print("\nLinear, one token (GB/s of weights; hot = one matrix, cold = rotating through 512 MB)")
  let rows = 4864, columns = 896
  for type in [ScalarType.bfloat16, .float32, .float16, .q4_1, .q8_0, .q4_K, .q6_K] {
    let columns = type.blockElements == 256 ? 1024 : columns
    let one = matrix(type, rows: rows, columns: columns)
    let error = linearError(one, tokens: 1)
    let copies = max(1, (512 << 20) / one.bytes.count)
    let cold = (0..<copies).map { _ in copy(one) }
    var values = Values()
    let x = values.next(columns)
    let y = UnsafeMutablePointer<Float>.allocate(capacity: rows)
    defer { y.deallocate() }
    for threads in [1, 2] {
      Parallel.threadCount = threads
      let gigabytes = Double(one.bytes.count) * 1e-9
      report(
        "N\(rows) K\(columns) \(type) hot, \(threads) threads", work: gigabytes, unit: "GB/s",
        error: error, tolerance: 1e-5
      ) { Linear.apply(weight: one, input: x, tokens: 1, output: y) }
      var next = 0
      report(
        "N\(rows) K\(columns) \(type) cold, \(threads) threads", work: gigabytes, unit: "GB/s",
        error: error, tolerance: 1e-5
      ) {
        Linear.apply(weight: cold[next], input: x, tokens: 1, output: y)
        next = (next + 1) % copies
      }
    }
  }
}

func copy(_ view: TensorView) -> TensorView {
  let storage = MemoryStorage(count: view.bytes.count)
  storage.bytes.copyMemory(from: view.bytes)
  return TensorView(
    bytes: UnsafeRawBufferPointer(storage.bytes), type: view.type, shape: view.shape,
    storage: storage)
}

/// From how many tokens on a matrix product is faster: the crossover behind `Linear.apply`.
@MainActor
func benchmarkTokens() {
  print("\nLinear, from few to many tokens (GFLOP/s, 1 thread)")
  Parallel.threadCount = 1
  for type in [ScalarType.bfloat16, .float32, .q4_1] {
    let weight = matrix(type, rows: 1536, columns: 576)
    for tokens in [1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32, 48, 64] {
      var values = Values()
      let x = values.next(tokens * 576)
      let y = UnsafeMutablePointer<Float>.allocate(capacity: tokens * 1536)
      defer { y.deallocate() }
      report(
        "M\(tokens) N1536 K576 \(type)", work: 2e-9 * Double(tokens * 1536 * 576),
        unit: "GFLOP/s", error: linearError(weight, tokens: tokens), tolerance: 1e-5
      ) { Linear.apply(weight: weight, input: x, tokens: tokens, output: y) }
    }
  }
}

@MainActor
func benchmarkDecoding() {
  print("\nRow decoding and casts (G elements/s, 1 thread, in cache)")
  for type in ScalarType.allCases where RowDecoder.supports(type) {
    let view = matrix(type, rows: 64, columns: 1024)
    let y = UnsafeMutablePointer<Float>.allocate(capacity: 65536)
    defer { y.deallocate() }
    var expected = [Float](repeating: .nan, count: 65536)
    RowDecoder.reference(view, rows: 0..<64, into: &expected)
    RowDecoder.decode(view, rows: 0..<64, into: y)
    let same = expected.indices.allSatisfy { expected[$0].bitPattern == y[$0].bitPattern }
    report(
      "decode \(type)", work: 65536e-9, unit: "G/s", error: same ? 0 : .infinity, tolerance: 0
    ) { RowDecoder.decode(view, rows: 0..<64, into: y) }
  }
  var values = Values()
  let x = values.next(65536)
  var bits = [UInt16](repeating: 0, count: 65536)
  for type in [ScalarType.bfloat16, .float16] {
    report("encode \(type)", work: 65536e-9, unit: "G/s", error: 0, tolerance: 0) {
      FloatCast.encode(x, count: 65536, as: type, into: &bits)
    }
  }
}
