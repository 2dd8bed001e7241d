import Kernels
import TensorTypes

/// Gated linear attention (SpikingBrain report, section 2.1): ReLU features, no rotary embedding,
/// per-channel decay, per-head output norm.
public struct GatedLinear: MixerForm {
  /// How the decay gate is stored.
  public enum Gate: Sendable, Hashable {
    /// Two matrices [rank, H] and [kv · d, rank] with a bias.
    case lowRank(Int)
    /// One matrix [kv · d, H] with a bias.
    case merged
  }

  public let gate: Gate

  /// The rank of the public code's decay gates.
  public static let usualRank = 16
  private static let rankKey = "gate_low_rank_dim"
  public static let sizeKeys = [rankKey]

  public static let kinds = ["gla"]
  public static let names: [MixerTensor.Name] = [
    .init("gk_proj.0.weight", .gateLow),
    .init("gk_proj.1.weight", .gateHigh), .init("gk_proj.1.bias", .gateHigh, .bias),
    .init("gk_proj.weight", .gateMerged), .init("gk_proj.bias", .gateMerged, .bias),
    .init("g_norm.weight", .outputNorm),
  ]

  public static func mixer<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) -> Mixer {
    .gatedLinear(.lowRank(try parameters.size(rankKey, default: usualRank)))
  }

  public var kind: String { "gla" }
  public var key: String {
    gateRank.map { "gated linear, gate of rank \($0)" } ?? "gated linear, merged gate"
  }
  public var description: String {
    gate == .merged ? "merged decay gates" : "decay gates of these ranks"
  }
  public var hasCache: Bool { false }
  public var hasMemory: Bool { true }
  public var sizes: [(key: String, size: Int)] { gateRank.map { [(Self.rankKey, $0)] } ?? [] }

  private var gateRank: Int? { if case .lowRank(let rank) = gate { rank } else { nil } }

  private static let part = "decay gates", spikingKey = "gk_proj"

  public func memoryCount(in model: MixerModel) -> Int {
    GatedLinearAttention.stateCount(model.layout)
  }

  public func tensors(in model: MixerModel) -> [MixerTensor] {
    let rows = model.layout.keyWidth
    func bias(_ role: TensorAddress.Role) -> MixerTensor {
      .init(
        role, .bias, shape: [rows], isByHead: true, initial: .setting(.gateBias), part: Self.part)
    }
    let gates: [MixerTensor] =
      switch gate {
      case .lowRank(let rank):
        // The second matrix starts at zero, so that the decay is the bias alone: a sound short-memory
        // layer. The first starts random, or neither would ever receive a gradient.
        [
          .init(
            .gateLow, shape: [rank, model.hiddenSize], initial: .uniform, part: Self.part,
            spikingKey: Self.spikingKey),
          .init(
            .gateHigh, shape: [rows, rank], isByHead: true, initial: .constant(0), part: Self.part),
          bias(.gateHigh),
        ]
      case .merged:
        [
          .init(
            .gateMerged, shape: [rows, model.hiddenSize], isByHead: true, initial: .constant(0),
            part: Self.part, spikingKey: Self.spikingKey),
          bias(.gateMerged),
        ]
      }
    let norm = MixerTensor(
      .outputNorm, shape: [model.layout.valueDimension], initial: .constant(1))
    return gates + [norm]
  }

  public func layer(
    in model: MixerModel, from tensors: some MixerTensors
  ) throws -> any MixerLayer {
    GatedLinearLayer(
      model: model, low: gate == .merged ? nil : try tensors.map(.gateLow, bias: false),
      high: try tensors.map(gate == .merged ? .gateMerged : .gateHigh, bias: true),
      highRole: gate == .merged ? .gateMerged : .gateHigh,
      outputNorm: try tensors.vector(.outputNorm))
  }
}

extension Mixer {
  /// Gated linear attention.
  public static func gatedLinear(_ gate: GatedLinear.Gate) -> Mixer {
    Mixer(GatedLinear(gate: gate))
  }
}

/// Gated linear attention with its decay gate, one map or two in a row, and its norm.
struct GatedLinearLayer: MixerLayer {
  let model: MixerModel
  let low: (any Projection)?
  let high: any Projection
  let highRole: TensorAddress.Role
  /// [d].
  let outputNorm: [Float]

  func mix(
    _ heads: Projections, input: FloatMatrix, state: inout MixerState, pass: MixerPass
  ) throws -> FloatMatrix? {
    if pass.ablation == .linear { return nil }
    let logits = try high(low.map { try $0(input) } ?? input)
    let output = Self.inputs(heads, gateLogits: logits)
      .next(model.layout, memory: &state.memory, pass: pass)
    output.normalizeHeads(by: outputNorm, epsilon: model.normEpsilon)
    return output
  }

  /// ReLU features of q and k, and decays logsigmoid(z) / 16 of gate logits z; all in place.
  static func inputs(_ heads: Projections, gateLogits: FloatMatrix) -> GatedLinearInputs {
    heads.query.rectify()
    heads.key.rectify()
    gateLogits.becomeLogDecay()
    return GatedLinearInputs(heads: heads, logDecay: gateLogits)
  }

  func training(rotary: RotaryEmbedding?, gateBias: Double?) -> any MixerTraining {
    GatedLinearTraining(self, gateBias: gateBias)
  }
}
