import Architectures
import Foundations
import TensorTypes
import TestSupport
import Testing

@testable import Kernels
@testable import Runtime

/// Maps with INT8 weights against the same maps with decoded weights.
@Suite struct QuantizedLinearMapTests {
  private let rows = 70, columns = 300
  private let weight: QuantizedWeight
  private let decoded: TensorView
  private let bias: [Float]

  init() {
    var random = SplitMix64(seed: 4)
    let values = (0..<rows * columns).map { _ in random.symmetric(0.1) }
    weight = QuantizedWeight(
      rounding: MemoryStorage.view(values, shape: [rows, columns]),
      WeightQuantization(.int8, .group(128)),
      method: .search(importance: nil))
    var floats = [Float](repeating: .nan, count: rows * columns)
    weight.decode(rows: 0..<rows, into: &floats)
    decoded = MemoryStorage.view(floats, shape: [rows, columns])
    bias = (0..<rows).map { _ in random.symmetric(1) }
  }

  /// Activations of which a few are massive: counts beyond a byte.
  private func input(tokens: Int) -> FloatMatrix {
    var random = SplitMix64(seed: 5)
    let input = FloatMatrix(rows: tokens, columns: columns)
    for index in 0..<input.count { input.elements[index] = random.symmetric(2) }
    for token in stride(from: 0, to: tokens, by: 3) { input[token][7] = 4000 }
    return input
  }

  private func difference(_ a: FloatMatrix, _ b: FloatMatrix) -> Float {
    let scale = b.elements.reduce(0) { max($0, $1.magnitude) }
    return zip(a.elements, b.elements).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / scale
  }

  @Test(arguments: [1, 5, 40])
  func floatActivations(tokens: Int) throws {
    let input = input(tokens: tokens)
    let expected = try LinearMap(weight: decoded, bias: bias)(input)
    for drops in [false, true] {
      let output = try LinearMap(quantized: weight, bias: bias, dropsPages: drops)(input)
      #expect(difference(output, expected) < 1e-5)
    }
  }

  /// The integer path is what floats simulate, per projection within 1e-5.
  @Test(arguments: [1, 5, 40])
  func spikeCounts(tokens: Int) throws {
    var model = try SpikingBrainLayout.describe(TinyModel.configuration("spikingbrain"))
    var thresholds = SpikingSettings.Thresholds()
    thresholds[.query] = 3
    model.spiking = SpikingSettings(
      layers: model.layers.map { _ in SpikingSettings.Layer(thresholds) })
    let spikes = try #require(
      SpikingInput(at: SpikingSite(layer: 0, .query), of: model, observer: nil))
    let input = input(tokens: tokens)
    guard case .counts(let counts) = spikes(input, for: LinearMap(quantized: weight, bias: nil))
    else {
      Issue.record("a weight in INT8 reads counts")
      return
    }
    #expect(counts.counts.contains { $0 > 127 })
    let expected = try LinearMap(weight: decoded, bias: bias, input: spikes)(input)
    let output = try LinearMap(quantized: weight, bias: bias, input: spikes)(input)
    #expect(difference(output, expected) < 1e-5)
    #expect(try difference(output, LinearMap(weight: decoded, bias: bias)(input)) > 1e-3)
  }

  /// A fault in the activations is not hidden by counts.
  @Test func faultsShow() throws {
    var model = try SpikingBrainLayout.describe(TinyModel.configuration("spikingbrain"))
    var thresholds = SpikingSettings.Thresholds()
    thresholds[.query] = 3
    model.spiking = SpikingSettings(
      layers: model.layers.map { _ in SpikingSettings.Layer(thresholds) })
    let spikes = SpikingInput(at: SpikingSite(layer: 0, .query), of: model, observer: nil)
    let input = input(tokens: 2)
    input[1][3] = .nan
    let map = LinearMap(quantized: weight, bias: nil, input: spikes), output = map.unchecked(input)
    #expect(output[0].allSatisfy { $0.isFinite } && output[1].allSatisfy { $0.isNaN })
    #expect(throws: RuntimeError.overflow(place: "before a projection")) { try map(input) }
  }
}
