import Foundation
import Kernels
import Runtime
import TensorTypes

/// What the neurons of a feed-forward part add to its output: the square of activation times norm of
/// the column of down_proj, summed over tokens and over those of each region of the inputs.
struct NeuronStatistics {
  /// Regions that neurons are told apart by.
  static let regions = 64

  /// Squared norms of the columns of down_proj [F].
  let scales: [Float]
  /// The sum over all tokens [F].
  private(set) var importance: [Double]
  private let part: SwiGLUWeights
  private let directions: FloatMatrix
  private var sums: [Double]
  private var counts: [Int]

  /// Empty statistics of `part`, whose inputs point in `directions` [R, H].
  init(of part: SwiGLUWeights, directions: FloatMatrix) {
    self.part = part
    self.directions = directions
    scales = Self.scales(of: part)
    importance = [Double](repeating: 0, count: scales.count)
    sums = [Double](repeating: 0, count: scales.count * directions.rows)
    counts = [Int](repeating: 0, count: directions.rows)
  }

  /// Squared norms of the columns of down_proj [F].
  static func scales(of part: SwiGLUWeights) -> [Float] {
    let down = part.down.weight
    var scales = [Float](repeating: 0, count: down.columns)
    var row = scales
    for index in 0..<down.rows {
      RowDecoder.decode(down, rows: index..<index + 1, into: &row)
      for column in scales.indices { scales[column] += row[column] * row[column] }
    }
    return scales
  }

  /// Adds tokens by their inputs [T, H]; those that are `massive` count for no region.
  mutating func add(_ inputs: FloatMatrix, massive: [Bool]) throws {
    let neurons = try part.neurons(inputs), width = scales.count
    let nearest = FloatMatrix.product(inputs, transposed: directions).largestPlaces
    withExtendedLifetime(neurons) {
      for (token, region) in nearest.enumerated() {
        let row = neurons[token], first = region * width
        if !massive[token] { counts[region] += 1 }
        for neuron in 0..<width {
          let power = Double(row[neuron] * row[neuron] * scales[neuron])
          importance[neuron] += power
          if !massive[token] { sums[first + neuron] += power }
        }
      }
    }
  }

  /// The `count` neurons that add most, in ascending order.
  func strongest(_ count: Int) -> [Int] {
    importance.indices.sorted { (-importance[$0], $0) < (-importance[$1], $1) }.prefix(count)
      .sorted()
  }

  /// For each of `neurons` in which regions it does more than elsewhere: logarithms of its means
  /// [neurons, regions with tokens], relative to their own mean.
  func profiles(of neurons: [Int]) -> FloatMatrix {
    let regions = counts.indices.filter { counts[$0] > 0 }
    let profiles = FloatMatrix(rows: neurons.count, columns: regions.count)
    for (row, neuron) in neurons.enumerated() {
      let means = regions.map { sums[$0 * scales.count + neuron] / Double(counts[$0]) }
      // A region in which a neuron is silent must not outweigh all others.
      let floor = 1e-9 * (means.max() ?? 0) + .leastNormalMagnitude
      let logs = means.map { log($0 + floor) }
      let mean = logs.reduce(0, +) / Double(max(1, logs.count))
      for (column, value) in logs.enumerated() { profiles[row][column] = Float(value - mean) }
    }
    return profiles
  }
}
