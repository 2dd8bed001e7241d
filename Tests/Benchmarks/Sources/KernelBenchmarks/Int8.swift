import Foundation
import TensorTypes

@testable import Kernels

/// A random INT8 weight with groups of 128.
private func int8Weight(rows: Int, columns: Int) -> QuantizedWeight {
  var values = Values()
  let granularity = ScaleGranularity.group(128)
  return QuantizedWeight(
    codes: matrix(.int8, rows: rows, columns: columns),
    scales: values.next(rows * granularity.scales(columns: columns)).map { abs($0) * 1e-3 + 1e-4 },
    WeightQuantization(.int8, granularity))
}

/// Counts of which the share `silent` is 0 and the others lie within ±7.
private func spikeCounts(_ count: Int, silent: Double) -> [Int32] {
  var values = Values()
  let draws = values.next(2 * count)
  return (0..<count).map { i in
    guard Double(draws[2 * i] + 1) / 2 >= silent else { return 0 }
    let size = Int32(1 + abs(draws[2 * i + 1]) * 6.99)
    return draws[2 * i + 1] < 0 ? -size : size
  }
}

/// One token, from memory: how much of the stream bandwidth INT8 products read at one thread.
@MainActor
func benchmarkInt8Vectors() {
  print("\nINT8 weights, one token (GB/s of codes and scales, from memory, 1 thread)")
  Parallel.threadCount = 1
  for (rows, columns) in [(3584, 3584), (18944, 3584), (3584, 18944)] {
    let first = int8Weight(rows: rows, columns: columns)
    let bytes = rows * columns + 4 * first.scales.count
    let copies = max(2, (384 << 20) / bytes)
    let weights =
      [first]
      + (1..<copies).map { _ in
        QuantizedWeight(
          codes: copy(first.codes), scales: first.scales, WeightQuantization(.int8, .group(128)))
      }
    var values = Values()
    let x = values.next(columns), counts = spikeCounts(columns, silent: 0.18)
    var expected = [Float](repeating: .nan, count: rows), output = expected
    let name = "N\(rows) K\(columns)"
    var next = 0
    report(
      "\(name) stream: reading alone", work: Double(bytes) * 1e-9, unit: "GB/s", error: 0,
      tolerance: 0
    ) {
      next = (next + 1) % copies
      readAll(weights[next].codes)
    }
    QuantizedLinear.reference(first, input: x, tokens: 1, output: &expected)
    QuantizedLinear.apply(first, input: x, tokens: 1, output: &output)
    report(
      "\(name) float activations", work: Double(bytes) * 1e-9, unit: "GB/s",
      error: relativeError(output, expected), tolerance: 1e-5
    ) {
      next = (next + 1) % copies
      QuantizedLinear.apply(weights[next], input: x, tokens: 1, output: &output)
    }
    QuantizedLinear.referenceCounts(
      first, counts: counts, thresholds: [0.5], tokens: 1, output: &expected)
    QuantizedLinear.applyCounts(
      first, counts: counts, thresholds: [0.5], tokens: 1, output: &output)
    report(
      "\(name) spike counts", work: Double(bytes) * 1e-9, unit: "GB/s",
      error: relativeError(output, expected), tolerance: 1e-5
    ) {
      next = (next + 1) % copies
      QuantizedLinear.applyCounts(
        weights[next], counts: counts, thresholds: [0.5], tokens: 1, output: &output)
    }
  }
}

/// Many tokens: spike counts times INT8 against the product rounded to bfloat16, by turns.
@MainActor
func benchmarkInt8Products() {
  print("\nSpike counts times INT8 and bfloat16 products (GFLOP/s, packing included)")
  for (tokens, rows, columns) in [(512, 1536, 576), (512, 3584, 3584), (512, 18944, 3584)] {
    let weight = int8Weight(rows: rows, columns: columns)
    let counts = spikeCounts(tokens * columns, silent: 0.18)
    let thresholds = [Float](repeating: 0.5, count: tokens)
    let x = counts.map { Float($0) * 0.5 }
    var decoded = [Float](repeating: 0, count: rows * columns)
    weight.decode(rows: 0..<rows, into: &decoded)
    var exact = [Float](repeating: .nan, count: tokens * rows), output = exact
    QuantizedLinear.applyCounts(
      weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &output)
    QuantizedLinear.referenceCounts(
      weight, counts: counts, thresholds: thresholds, tokens: 2, output: &exact)
    let error = relativeError(Array(output[..<(2 * rows)]), Array(exact[..<(2 * rows)]))
    guard error <= 1e-5, !output.contains(where: \.isNaN) else {
      print("M\(tokens) N\(rows) K\(columns): WRONG, error \(error)")
      failed = true
      continue
    }
    let clock = ContinuousClock()
    for threads in [1, 2] {
      Parallel.threadCount = threads
      var integer: [Double] = [], rounded: [Double] = []
      // The first round warms up.
      for round in 0..<8 {
        let first =
          clock.measure {
            QuantizedLinear.applyCounts(
              weight, counts: counts, thresholds: thresholds, tokens: tokens, output: &output)
          } / .seconds(1)
        let second =
          clock.measure {
            MatrixProduct.multiply(
              .transposedRight, x, decoded, m: tokens, n: rows, k: columns, into: &exact,
              precision: .bfloat16)
          } / .seconds(1)
        if round > 0 {
          integer.append(first)
          rounded.append(second)
        }
      }
      integer.sort()
      rounded.sort()
      let work = 2e-9 * Double(tokens) * Double(rows) * Double(columns)
      func figures(_ index: Int) -> String {
        String(
          format: "%5.0f %5.0f (%.2fx)", work / rounded[index], work / integer[index],
          rounded[index] / integer[index])
      }
      print(
        "M\(tokens) N\(rows) K\(columns), \(threads) threads: bfloat16, INT8 best", figures(0),
        "median", figures(integer.count / 2))
    }
  }
}

/// From which share of silent channels on skipping them pays: `EventWeight` against reading all.
@MainActor
func benchmarkEvents() {
  print("\nOne token, skipping silent channels (ms from memory, 1 thread; all / skipping)")
  Parallel.threadCount = 1
  let (rows, columns, copies) = (3584, 3584, 16)
  let weights = (0..<copies).map { _ in int8Weight(rows: rows, columns: columns) }
  let events = weights.map { EventWeight($0) }
  for silent in [0, 0.18, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98] {
    let counts = spikeCounts(columns, silent: silent)
    var all = [Float](repeating: .nan, count: rows), skipping = all
    let clock = ContinuousClock()
    var times: [(all: Double, skipping: Double)] = []
    for round in 0..<4 * copies {
      let index = round % copies
      let first =
        clock.measure {
          QuantizedLinear.applyCounts(
            weights[index], counts: counts, thresholds: [0.5], tokens: 1, output: &all)
        } / .seconds(1)
      let second =
        clock.measure {
          events[index].applyCounts(counts: counts, thresholds: [0.5], tokens: 1, output: &skipping)
        } / .seconds(1)
      times.append((first, second))
    }
    let error = relativeError(skipping, all)
    guard error <= 1e-5 else {
      print("silent \(silent): WRONG, error \(error)")
      failed = true
      continue
    }
    let a = times.map(\.all).sorted()[times.count / 4]
    let s = times.map(\.skipping).sorted()[times.count / 4]
    print(String(format: "silent %.2f  %.3f  %.3f  (%.2fx)", silent, a * 1e3, s * 1e3, a / s))
  }
}

/// Touches every byte.
private func readAll(_ view: TensorView) {
  let words = view.bytes.bindMemory(to: SIMD16<UInt32>.self)
  var sums = (SIMD16<UInt32>(), SIMD16<UInt32>(), SIMD16<UInt32>(), SIMD16<UInt32>())
  for i in stride(from: 0, to: words.count - 3, by: 4) {
    sums.0 ^= words[i]
    sums.1 ^= words[i + 1]
    sums.2 ^= words[i + 2]
    sums.3 ^= words[i + 3]
  }
  blackHole = sums.0 ^ sums.1 ^ sums.2 ^ sums.3
}

/// Keeps what is computed from being left out.
nonisolated(unsafe) private var blackHole = SIMD16<UInt32>()
