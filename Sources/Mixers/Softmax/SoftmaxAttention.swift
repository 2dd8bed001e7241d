import Kernels
import TensorTypes

/// Causal softmax attention with rotary embeddings, over a window or over everything before.
public struct SoftmaxAttention: MixerForm {
  public let window: Mixer.Window?

  public static let kinds = ["full", "window"]
  public static let names: [MixerTensor.Name] = []

  public static func mixer<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) -> Mixer {
    kind == "full" ? .full : .window(try parameters.window())
  }

  public var kind: String { window == nil ? "full" : "window" }
  public var key: String { window.map { "window of \($0.keys)" } ?? "full" }
  public var description: String {
    window == nil ? "full-attention layers" : "windows of these sizes"
  }
  public func with(_ window: Mixer.Window) -> Mixer { self.window == nil ? .full : .window(window) }
  public var hasCache: Bool { true }
  public var hasMemory: Bool { false }

  public func layer(
    in model: MixerModel, from tensors: some MixerTensors
  ) throws -> any MixerLayer {
    SoftmaxLayer(model: model, windowKeys: window?.keys, rotatedQuery: tensors.rotatedQuery)
  }
}

extension Mixer {
  /// Causal softmax attention over everything before.
  public static let full = Mixer(SoftmaxAttention(window: nil))

  /// Causal softmax attention over the last keys.
  public static func window(_ window: Window) -> Mixer { Mixer(SoftmaxAttention(window: window)) }
}

/// Softmax attention, which has no weights but those of its projections.
struct SoftmaxLayer: MixerLayer {
  let model: MixerModel
  /// Most keys a token sees; nil for all.
  let windowKeys: Int?
  /// What happens to rotated queries; nil for nothing.
  let rotatedQuery: (@Sendable (FloatMatrix) -> FloatMatrix?)?

  func mix(
    _ heads: Projections, input: FloatMatrix, state: inout MixerState, pass: MixerPass
  ) -> FloatMatrix? {
    let output = attend(heads, cache: &state.cache, pass: pass)
    return pass.ablation == .attention ? nil : output
  }

  /// The heads' outputs [T, heads · d]; q and k are rotated in place, and the cache keeps k and v.
  func attend(
    _ heads: Projections, cache: inout KeyValueCache?, pass: MixerPass
  ) -> FloatMatrix {
    pass.angles?.apply(to: heads.query)
    pass.angles?.apply(to: heads.key)
    if let spiked = rotatedQuery?(heads.query) { heads.query.copyRows(of: spiked, to: 0) }
    heads.query.scale(by: model.queryFactor)
    if let coded = cache?.codedHeads {
      for matrix in [heads.key, heads.value] { KeyValueCodes.roundInPlace(matrix, heads: coded) }
    }
    let start = cache?.position ?? 0
    let new = KeyValueSegment(
      keys: heads.key, values: heads.value, firstPosition: start, isAlwaysVisible: pass.areSinks)
    let output = WindowAttention.apply(
      queries: heads.query, firstPosition: start, layout: model.layout,
      segments: (cache?.segments ?? []) + [new], window: windowKeys, cap: model.scoreCap)
    if pass.areSinks {
      cache?.setSinks(keys: heads.key, values: heads.value)
    } else {
      cache?.append(keys: heads.key, values: heads.value)
    }
    return output
  }

  func training(rotary: RotaryEmbedding?, gateBias: Double?) -> any MixerTraining {
    SoftmaxTraining(model: model, rotary: rotary, window: windowKeys)
  }
}
