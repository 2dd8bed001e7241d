import Foundation
import Kernels
import Runtime
import TensorTypes

/// A router made from clusters of what it reads: it sends a token to the expert of the nearest
/// direction, with a probability that is nearly one.
struct ClusteredRouter {
  /// The mean probability of the chosen expert. Nearer to 1 the copies are closer to the dense part, and
  /// regions have harder borders; further away later training gets more gradient.
  static let confidence = 0.999

  /// The router's weight [N, H]: directions times their sharpness.
  let weight: FloatMatrix
  /// What the directions are multiplied by.
  let sharpness: Double

  /// A router to `experts` experts for inputs such as `inputs` [T, H].
  init(inputs: FloatMatrix, experts: Int, seed: UInt64, layer: Int) {
    var generator = SplitMix64(seed: seed, label: "clusters of layer \(layer)")
    let directions = SphericalClusters(of: inputs, count: experts, generator: &generator).directions
    sharpness = ClusteredRouter.sharpness(
      of: FloatMatrix.product(inputs, transposed: directions))
    for index in 0..<directions.count { directions.pointer[index] *= Float(sharpness) }
    weight = directions
  }

  /// The factor of `scores` [T, N] that makes the mean probability of the largest `confidence`, to
  /// within a thousandth of the factor; 1 when no factor does.
  private static func sharpness(of scores: FloatMatrix) -> Double {
    let gaps: [[Double]] = withExtendedLifetime(scores) {
      zip(0..<scores.rows, scores.largestPlaces).map { row, best in
        (0..<scores.columns).filter { $0 != best }.map {
          Double(scores[row][$0] - scores[row][best])
        }
      }
    }
    let mean = gaps.reduce(0) { $0 - $1.reduce(0, +) } / Double(max(1, scores.count))
    guard mean > 0 else { return 1 }
    func probability(_ factor: Double) -> Double {
      gaps.reduce(0) { $0 + 1 / $1.reduce(1) { $0 + exp(factor * $1) } } / Double(gaps.count)
    }
    var low = 1e-3 / mean, high = 1e6 / mean
    guard probability(low) < confidence, probability(high) > confidence else { return 1 / mean }
    while high / low > 1.001 {
      let middle = (low * high).squareRoot()
      if probability(middle) < confidence { low = middle } else { high = middle }
    }
    return high
  }
}

extension FloatMatrix {
  /// The values after rounding to `type`, as a file of that type holds them.
  func rounded(to type: ScalarType) -> FloatMatrix {
    let storage = MemoryStorage(count: count * type.blockBytes)
    guard FloatCast.canEncode(type), let start = storage.bytes.baseAddress else { return self }
    let rounded = unset
    withExtendedLifetime((self, rounded, storage)) {
      FloatCast.encode(pointer, count: count, as: type, into: start)
      let view = TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<(count * type.blockBytes)]),
        type: type, shape: [rows, columns], storage: storage)
      RowDecoder.decode(view, rows: 0..<rows, into: rounded.pointer)
    }
    return rounded
  }

  /// The values as a tensor.
  var view: TensorView {
    withExtendedLifetime(self) { MemoryStorage.view(Array(elements), shape: [rows, columns]) }
  }
}
