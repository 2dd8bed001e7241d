import Kernels
import TensorTypes

/// Linear and softmax attention side by side on the same q, k and v (report, section 2.2), the latter
/// over a window or over everything.
///
/// The linear branch: q = sigmoid(q), k = sigmoid(k), decay 1 - k, no rotary embedding. Both branches
/// are normalised per head and added before the shared output projection.
public struct ParallelBranches: MixerForm {
  public let window: Mixer.Window?

  public static let kinds = ["parallel", "parallel-full"]
  public static let names: [MixerTensor.Name] = [
    .init("la_norm.weight", .linearNorm), .init("sa_norm.weight", .softmaxNorm),
    .init("branch_scale", .branchScale),
  ]

  public static func mixer<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) -> Mixer {
    .parallel(kind == "parallel" ? try parameters.window() : nil)
  }

  public var kind: String { window == nil ? "parallel-full" : "parallel" }
  public var key: String { window.map { "parallel, window of \($0.keys)" } ?? "parallel, full" }
  public var description: String { "parallel branches" }
  public func with(_ window: Mixer.Window) -> Mixer {
    .parallel(self.window == nil ? nil : window)
  }
  public var hasCache: Bool { true }
  public var hasMemory: Bool { true }
  public var usesBranchNormEpsilon: Bool { true }

  public func memoryCount(in model: MixerModel) -> Int {
    GatedLinearAttention.stateCount(model.layout)
  }

  public func tensors(in model: MixerModel) -> [MixerTensor] {
    let heads: Shape = [model.layout.heads, model.layout.valueDimension]
    return [
      .init(
        .linearNorm, shape: heads, isByHead: true, initial: .setting(.branchNormWeight)),
      .init(
        .softmaxNorm, shape: heads, isByHead: true, initial: .setting(.branchNormWeight)),
      .init(
        .branchScale, shape: [2], initial: .setting(.branchScale), part: "branch factors"),
    ]
  }

  public func layer(
    in model: MixerModel, from tensors: some MixerTensors
  ) throws -> any MixerLayer {
    let scale = try tensors.vector(.branchScale)
    return ParallelLayer(
      model: model,
      softmax: SoftmaxLayer(
        model: model, windowKeys: window?.keys, rotatedQuery: tensors.rotatedQuery),
      linearNorm: try tensors.vector(.linearNorm).map { $0 * scale[0] },
      softmaxNorm: try tensors.vector(.softmaxNorm).map { $0 * scale[1] })
  }
}

extension Mixer {
  /// Linear and softmax attention side by side, the latter over a window, or over everything when it
  /// is nil.
  public static func parallel(_ window: Window?) -> Mixer {
    Mixer(ParallelBranches(window: window))
  }
}

/// Both branches, and the per-head norms that merge them [heads, d], multiplied by the branch's factor.
struct ParallelLayer: MixerLayer {
  let model: MixerModel
  let softmax: SoftmaxLayer
  let linearNorm: [Float]
  let softmaxNorm: [Float]

  func mix(
    _ heads: Projections, input: FloatMatrix, state: inout MixerState, pass: MixerPass
  ) -> FloatMatrix? {
    // Softmax attention rotates q and k in place: the linear branch reads them before.
    let output = Self.inputs(heads)
      .next(model.layout, memory: &state.memory, pass: pass)
    normalize(output, by: linearNorm)
    let attended = softmax.attend(heads, cache: &state.cache, pass: pass)
    if pass.ablation == .attention { return output }
    normalize(attended, by: softmaxNorm)
    if pass.ablation == .linear { return attended }
    output.add(attended)
    return output
  }

  private func normalize(_ output: FloatMatrix, by norm: [Float]) {
    output.normalizeHeads(
      by: norm, heads: model.layout.heads, epsilon: model.branchNormEpsilon)
  }

  /// Sigmoid features and tied decays of the linear branch, which copies q and k.
  static func inputs(_ heads: Projections) -> GatedLinearInputs {
    let query = heads.query.copy, key = heads.key.copy
    // log(1 - sigmoid(z)) = logsigmoid(-z).
    let logDecay = key.zeros
    logDecay.add(key, times: -1)
    logDecay.becomeLogDecay(normalizer: 1)
    query.becomeSigmoid()
    key.becomeSigmoid()
    return GatedLinearInputs(
      heads: Projections(query: query, key: key, value: heads.value), logDecay: logDecay)
  }

  func training(rotary: RotaryEmbedding?, gateBias: Double?) -> any MixerTraining {
    ParallelTraining(self, rotary: rotary)
  }
}
