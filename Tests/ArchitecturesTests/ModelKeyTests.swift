import Mixers
import TensorTypes
import Testing

@testable import Architectures

/// The text that a saved state knows its model by.
struct ModelKeyTests {
  private let model: ModelDescription = {
    var model = ModelDescription(
      modelType: "some", vocabularySize: 100, hiddenSize: 16, feedForwardSize: 24, heads: 4,
      keyValueHeads: 2, headDim: 4, normEpsilon: 1e-6,
      biases: .init(queryKeyValue: true, output: false, feedForward: false), queryKeyNorm: .none,
      tiesEmbeddings: true,
      rotary: .init(
        theta: 10000, scaling: .llama3(factor: 8, low: 1, high: 4, originalPositions: 64)),
      maximumPositions: 128,
      layers: [
        .init(mixer: .full),
        .init(mixer: .window(.init(size: 8, rule: .flash))),
        .init(
          mixer: .gatedLinear(.lowRank(4)),
          feedForward: .experts(.init(routed: 4, shared: 1, chosen: 2, size: 8))),
        .init(mixer: .parallel(.init(size: 8))),
      ], specialTokens: .init(beginning: 1, end: [2]))
    var thresholds = SpikingSettings.Thresholds()
    thresholds[.query] = 3
    thresholds[.ffnDown] = 2.5
    let layer = SpikingSettings.Layer(thresholds, experts: [nil, thresholds])
    model.spiking = SpikingSettings(winners: 0.25, layers: [layer])
    model.quantization = WeightQuantization(.int8, .group(32))
    model.sinkCount = 2
    return model
  }()

  /// As long as this holds, states that were saved before can be continued.
  @Test func `the key is what it was`() {
    #expect(
      model.key == """
        vocabulary 100
        hidden 16
        feed-forward 24
        heads 4 of 4, 2 for keys and values
        norm epsilon 1e-06
        branch norm epsilon 1e-06
        biases qkv true, o false, ffn false
        query and key norm false
        tied embeddings true
        rotary 10000.0 llama3 8.0 1.0 4.0 64
        sinks 2
        int8 per group of 32
        layer 0 full, dense
        layer 1 window of 9, dense
        layer 2 gated linear, gate of rank 4, experts 4 of 8, 2 chosen, weights softmax, 1 shared of 8
        layer 3 parallel, window of 8, dense
        cache float32
        winners 0.25
        spikes 0 q_proj 3.0, down_proj 2.5
        spikes 0 expert 1 q_proj 3.0, down_proj 2.5

        """)
  }

  @Test func `what changes a number changes the key`() {
    let changes: [(inout ModelDescription) -> Void] = [
      { $0.vocabularySize = 101 }, { $0.hiddenSize = 32 }, { $0.feedForwardSize = 25 },
      { $0.heads = 2 }, { $0.keyValueHeads = 4 }, { $0.headDim = 8 }, { $0.normEpsilon = 1e-5 },
      { $0.branchNormEpsilon = 1e-5 }, { $0.biases.output = true },
      { $0.queryKeyNorm = .perHead }, { $0.queryKeyNorm = .whole }, { $0.rotary.channels = 2 },
      { $0.layers[0].rotary = .none }, { $0.layers[0].rotary = .own(.init(theta: 5)) },
      { $0.normPlacement = .after }, { $0.normPlacement = .both }, { $0.normsAddOne = true },
      { $0.activation = .gelu }, { $0.activation = .geluTanh }, { $0.multipliers.embedding = 2 },
      { $0.multipliers.residual = 2 }, { $0.multipliers.scores = 2 }, { $0.multipliers.logits = 2 },
      { $0.softCaps.scores = 50 }, { $0.softCaps.logits = 50 },
      { $0.tiesEmbeddings = false }, { $0.rotary.theta = 500 }, { $0.rotary.scaling = .none },
      { $0.rotary.scaling = .divisors([1, 2]) }, { $0.sinkCount = 0 },
      { $0.quantization = WeightQuantization(.int8, .channel) }, { $0.quantization = nil },
      { $0.layers[0].mixer = .parallel(nil) }, { $0.layers[2].mixer = .gatedLinear(.merged) },
      { $0.layers[0].feedForward = $0.layers[2].feedForward }, { $0.spiking = nil },
      { $0.spiking?.cache = .int8 }, { $0.spiking?.winners = nil },
      { $0.spiking?.layers[0].thresholds[.key] = 3 },
      { $0.spiking?.layers[0].sharedExpert = .init() },
    ]
    var keys: Set = [model.key]
    for change in changes {
      var other = model
      change(&other)
      keys.insert(other.key)
    }
    #expect(keys.count == changes.count + 1)
  }

  @Test func `what changes none does not`() {
    var other = model
    other.modelType = "other"
    other.maximumPositions = 1
    other.specialTokens = .init()
    other.spiking?.coding = .ternary
    // Eight keys by either rule.
    other.layers[3].mixer = .parallel(.init(size: 7, rule: .flash))
    #expect(other.key == model.key)
  }

  /// A new property must be considered: does it change numbers?
  @Test func `every property is in the key or known not to matter`() {
    #expect(
      Mirror(reflecting: model).children.compactMap(\.label) == [
        "modelType", "vocabularySize", "hiddenSize", "feedForwardSize", "heads", "keyValueHeads",
        "headDim", "normEpsilon", "biases", "queryKeyNorm", "tiesEmbeddings", "rotary",
        "maximumPositions", "layers", "specialTokens", "normPlacement", "normsAddOne",
        "activation", "multipliers", "softCaps", "sinkCount", "branchNormEpsilon",
        "quantization", "spiking",
      ])
  }
}
