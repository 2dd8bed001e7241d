import Foundation
import TensorTypes

@testable import Kernels

/// Products rounded to bfloat16 against float32 ones, packing and decoding included.
@MainActor
func benchmarkPrecision() {
  print("\nProducts, float32 and bfloat16 (GFLOP/s)")
  guard ProductKernel.fastest.rounds else { return print("no bfloat16 products here") }
  var values = Values()
  for (m, n, k) in [
    (2048, 576, 576), (2048, 1536, 576), (2048, 576, 1536), (2048, 192, 576), (576, 1536, 2048),
    (512, 3584, 3584),
  ] {
    let a = values.next(m * k), b = values.next(n * k)
    for form in MatrixProduct.Form.allCases {
      comparePrecisions("\(form)", m, n, k) { c, precision in
        MatrixProduct.multiply(form, a, b, m: m, n: n, k: k, into: c, precision: precision)
      }
    }
  }
  for (m, n, k) in [(128, 1536, 576), (512, 1536, 576), (512, 3584, 3584)] {
    let x = values.next(m * k)
    for type in [ScalarType.bfloat16, .float32, .q4_1] {
      let weight = matrix(type, rows: n, columns: k)
      comparePrecisions("Linear \(type)", m, n, k) { c, precision in
        Linear.apply(weight: weight, input: x, tokens: m, output: c, precision: precision)
      }
    }
  }
}

/// Runs the two by turns, so that other programs disturb both alike.
@MainActor
private func comparePrecisions(
  _ name: String, _ m: Int, _ n: Int, _ k: Int,
  _ product: (UnsafeMutablePointer<Float>, MatrixProduct.Precision) -> Void
) {
  let clock = ContinuousClock()
  for threads in [1, 2] {
    Parallel.threadCount = threads
    var exact = [Float](repeating: .nan, count: m * n), rounded = exact
    var float32: [Double] = [], bfloat16: [Double] = []
    // The first round warms up.
    for round in 0..<12 {
      let first = clock.measure { product(&exact, .float32) } / .seconds(1)
      let second = clock.measure { product(&rounded, .bfloat16) } / .seconds(1)
      if round > 0 {
        float32.append(first)
        bfloat16.append(second)
      }
    }
    let label = "\(name) M\(m) N\(n) K\(k), \(threads) threads"
    let error = relativeError(rounded, exact)
    guard error <= 5e-3 else {
      print("\(label): WRONG, error \(error)")
      failed = true
      continue
    }
    float32.sort()
    bfloat16.sort()
    func figures(_ index: Int) -> String {
      let work = 2e-9 * Double(m) * Double(n) * Double(k)
      return String(
        format: "%5.0f %5.0f (%.2fx)", work / float32[index], work / bfloat16[index],
        float32[index] / bfloat16[index])
    }
    print(
      label.padding(toLength: 48, withPad: " ", startingAt: 0), "best", figures(0), "median",
      figures(float32.count / 2))
  }
}
