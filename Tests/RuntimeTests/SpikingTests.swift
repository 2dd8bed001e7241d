import Architectures
import Foundations
import ModelFiles
import TensorTypes
import TestSupport
import Testing

@testable import Kernels
@testable import Runtime

/// Models whose activations are spiked.
struct SpikingTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)

  init() throws { directory = try TemporaryDirectory() }

  /// The model `name` with k at every place that `holds`.
  private func model(
    _ name: String, k: Double?, cache: SpikingSettings.Cache = .float32, winners: Double? = nil,
    where holds: (SpikingSite) -> Bool = { _ in true }
  ) throws -> Model {
    if !Files.exist(directory(name)) {
      try TinyModel.synthesize(TinyModel.configuration(name), to: directory(name))
    }
    let file = try ModelFile.open(directory(name))
    var description = file.description
    var settings = SpikingSettings(
      cache: cache, winners: winners, layers: description.layers.map { _ in .init() })
    for site in description.spikingSites where holds(site) {
      settings.layers[site.layer].thresholds[site.projection] = k
    }
    description.spiking = settings
    return try Model(description, weights: file)
  }

  @Test(arguments: ["gla_swa", "spikingbrain", "experts", "intra-layer"])
  func `a large k changes little, a small one much`(_ name: String) throws {
    let unspiked = try model(name, k: nil).logits(tokens)
    let fine = difference(try model(name, k: 1000).logits(tokens), unspiked)
    let coarse = difference(try model(name, k: 1).logits(tokens), unspiked)
    #expect(fine > 0)
    #expect(fine < 0.02)
    #expect(coarse > 4 * fine)
  }

  @Test(
    arguments: ["spikingbrain", "experts", "intra-layer"],
    SpikingSettings.Projection.allCases)
  func `every place counts`(_ name: String, _ projection: SpikingSettings.Projection) throws {
    let all = try model(name, k: nil)
    guard all.description.spikingSites.contains(where: { $0.projection == projection }) else {
      return
    }
    let spiked = try model(name, k: 1) { $0.projection == projection }
    #expect(difference(try spiked.logits(tokens), try all.logits(tokens)) > 1e-3)
  }

  /// The dense feed-forward part of the first layer.
  private func feedForward(of model: ModelDescription) throws -> SwiGLUWeights {
    let weights = try LayerWeights(
      0, of: model, from: ModelFile.open(directory("spikingbrain")))
    let found: SwiGLUWeights? =
      if case .dense(let dense) = weights.feedForward { dense } else { nil }
    return try #require(found)
  }

  @Test func `a projection sees s V_th`() throws {
    let model = try model("spikingbrain", k: 2.5) { $0.projection == .ffnDown }
    let weights = try feedForward(of: model.description)
    var random = SplitMix64(seed: 3)
    let width = weights.down.weight.shape.columns
    let input = FloatMatrix(rows: 3, columns: width)
    for index in 0..<input.count { input.elements[index] = random.symmetric(2) }
    let expected = FloatMatrix(rows: 3, columns: width)
    for row in 0..<3 {
      let x = Array(input[row])
      let values = SpikeCounts.referenceValues(
        x, threshold: SpikeCounts.referenceThreshold(x, k: 2.5))
      for (column, value) in values.enumerated() { expected[row][column] = value }
    }
    let output = FloatMatrix(rows: 3, columns: weights.down.weight.shape.rows)
    weights.down.multiply(expected, into: output)
    #expect(try weights.down(input).values == output.values)
    #expect(weights.up.input == nil)
  }

  @Test(arguments: [nil, 2.5])
  func `down_proj sees the winners only`(_ k: Double?) throws {
    let model = try model("spikingbrain", k: k, winners: 0.1)
    let weights = try feedForward(of: model.description)
    var random = SplitMix64(seed: 4)
    let width = weights.down.weight.shape.columns
    let count = Int((0.1 * Double(width)).rounded(.toNearestOrEven))
    let input = FloatMatrix(rows: 3, columns: width)
    for index in 0..<input.count { input.elements[index] = random.symmetric(2) }
    let expected = FloatMatrix(rows: 3, columns: width)
    for row in 0..<3 {
      var x = Winners.reference(Array(input[row]), count: count)
      if let k {
        x = SpikeCounts.referenceValues(
          x, threshold: SpikeCounts.referenceThreshold(x, k: Float(k), winners: count))
      }
      for (column, value) in x.enumerated() { expected[row][column] = value }
    }
    let output = FloatMatrix(rows: 3, columns: weights.down.weight.shape.rows)
    weights.down.multiply(expected, into: output)
    #expect(try weights.down(input).values == output.values)
    if k == nil { #expect(weights.up.input == nil) }
  }

  @Test(arguments: ["gla_swa", "experts", "intra-layer"])
  func `all winners change nothing, few change much, whichever way tokens are read`(
    _ name: String
  ) throws {
    let plain = try model(name, k: nil).logits(tokens)
    #expect(try model(name, k: nil, winners: 1).logits(tokens) == plain)
    let few = try model(name, k: nil, winners: 0.1)
    let logits = try few.logits(tokens)
    #expect(difference(logits, plain) > 1e-3)
    // Without equal magnitudes a winner is one in prefill and in decoding.
    #expect(difference(try few.logits(tokens, stepwise: true), logits) < 1e-4)
  }

  @Test func `rotated queries are spiked head by head`() {
    let matrix = FloatMatrix(rows: 2, columns: 8)
    for index in 0..<16 { matrix.elements[index] = Float(index * index) / 7 }
    let spiked = matrix.spiked(k: 3, heads: 2)
    for part in 0..<4 {
      let x = Array(matrix.values[4 * part..<4 * part + 4])
      let threshold = SpikeCounts.referenceThreshold(x, k: 3)
      #expect(
        Array(spiked.values[4 * part..<4 * part + 4])
          == SpikeCounts.referenceValues(x, threshold: threshold))
    }
  }

  @Test(arguments: ["gla_swa", "spikingbrain", "intra-layer"], SpikingSettings.Cache.allCases)
  func `layers give the same together and stepwise`(
    _ name: String, _ cache: SpikingSettings.Cache
  ) throws {
    let model = try model(name, k: 3, cache: cache)
    var state = DecodingState(for: model.description), entering: [FloatMatrix] = []
    _ = try model.extend(&state, with: tokens) { _, _, hidden in entering.append(hidden.copy) }
    var apart = 0
    for layer in model.description.layers.indices {
      let leaving = try [false, true].map {
        try model.resume(
          entering[layer].copy, at: layer, through: layer, tokens: tokens, stepwise: $0
        ).values
      }
      // A count may fall on the other side of a tie: never at most tokens.
      let width = model.description.hiddenSize
      for row in 0..<tokens.count {
        let rows = row * width..<(row + 1) * width
        if difference(leaving[0][rows], leaving[1][rows]) > 1e-5 { apart += 1 }
      }
    }
    #expect(apart < tokens.count * model.description.layers.count / 4)
  }

  @Test(arguments: ["gla_swa", "spikingbrain", "intra-layer"], [1, 6, 13])
  func `a saved state goes on identically with a coded cache`(_ name: String, _ cut: Int) throws {
    let model = try model(name, k: 3, cache: .int8)
    try expectRestoredGoesOn(model, tokens, cut: cut)
  }

  @Test func `a coded cache takes a byte per element and four per head`() throws {
    let coded = try model("mistral", k: nil, cache: .int8).description
    let plain = try model("mistral", k: nil).description
    let width = coded.keyValueWidth, heads = coded.keyValueHeads
    #expect(
      DecodingState(for: coded).byteCount * 4 * width
        == DecodingState(for: plain).byteCount * (width + 4 * heads))
  }
}

/// Codes of keys and values.
struct KeyValueCodesTests {
  @Test func `coding what was coded changes nothing`() {
    var random = SplitMix64(seed: 9)
    for size in [1, 7, 16, 64, 128] {
      for scale in [1e-30, 1e-20, 1e-3, 1, 300, 1e30] {
        let x = (0..<size).map { _ in random.symmetric(1) * Float(scale) }
        var once = x
        KeyValueCodes.roundInPlace(&once, heads: 1, count: size)
        var twice = once
        KeyValueCodes.roundInPlace(&twice, heads: 1, count: size)
        #expect(once.map(\.bitPattern) == twice.map(\.bitPattern))
        let largest = x.map(\.magnitude).max() ?? 0
        for (value, coded) in zip(x, once) {
          #expect((value - coded).magnitude <= largest / 127 * 0.5001)
        }
      }
    }
  }

  @Test func `zeros stay zero and faults stay visible`() {
    var zeros: [Float] = [0, -0.0]
    KeyValueCodes.roundInPlace(&zeros, heads: 1, count: 2)
    #expect(zeros == [0, 0])
    for tiny in [Float.leastNonzeroMagnitude, Float.leastNormalMagnitude / 128, 1e-37] {
      var x = [tiny, -tiny / 2, tiny / 3]
      KeyValueCodes.roundInPlace(&x, heads: 1, count: 3)
      #expect(x.allSatisfy { $0.magnitude <= tiny })
    }
    for fault in [Float.nan, .infinity] {
      var x: [Float] = [1, fault, 2]
      KeyValueCodes.roundInPlace(&x, heads: 1, count: 3)
      #expect(x.allSatisfy { !$0.isFinite })
    }
  }

  @Test func `heads are independent`() {
    var x: [Float] = [1, 2, 1000, 2000]
    KeyValueCodes.roundInPlace(&x, heads: 2, count: 2)
    #expect(abs(x[0] - 1) < 0.01 && abs(x[2] - 1000) < 10)
  }
}
