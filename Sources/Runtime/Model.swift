public import Architectures
import Kernels
public import TensorTypes

/// A model ready to run: one forward pass for source models and converted ones alike.
///
/// Activations and accumulation are f32; matrices are used where they lie, in their stored type.
/// Reading tokens in one go or one by one gives the same numbers within rounding, because both go
/// through `extend`.
public struct Model: Sendable {
  /// Tokens that pass through the layers together; longer inputs go in pieces of this many, so
  /// that memory does not depend on the length of the text.
  public static let segment = 512

  /// What the model is.
  public let description: ModelDescription
  /// A part switched off, if any.
  public var ablation: Ablation?
  /// Whether mapped weights are dropped from memory after each use.
  public var dropsWeights = false

  let embedding: TensorView
  let layers: [LayerWeights]
  let finalNorm: [Float]
  let head: LinearMap
  let rotary: RotaryEmbedding

  /// The model of `description` with the weights of `source`.
  public init(_ description: ModelDescription, weights source: any WeightSource) throws {
    self.description = description
    embedding = try source.view(TensorAddress(.embedding))
    layers = try description.layers.indices.map {
      try LayerWeights($0, of: description, from: source)
    }
    finalNorm = try source.vector(TensorAddress(.finalNorm))
    head = LinearMap(
      weight: description.tiesEmbeddings ? embedding : try source.view(TensorAddress(.head)),
      bias: nil)
    rotary = RotaryEmbedding(description)
  }

  /// Reads `tokens` and returns the final hidden states [T, H], normed and ready for the head.
  ///
  /// - Parameters:
  ///   - tokens: ids below the vocabulary size.
  ///   - state: what was read before; updated.
  ///   - observe: called with the residual stream [t, H] entering each layer and, with the layer
  ///     count as layer, leaving the last one; once per segment, with the segment's first token.
  public func extend(
    _ state: inout DecodingState, with tokens: [Int],
    observe: ((_ layer: Int, _ firstToken: Int, _ hidden: FloatMatrix) throws -> Void)? = nil
  ) throws -> FloatMatrix {
    let result = FloatMatrix(rows: tokens.count, columns: description.hiddenSize)
    var done = 0
    while done < tokens.count {
      let count = min(Model.segment, tokens.count - done)
      let hidden = try embed(tokens[done..<done + count])
      let angles = rotary.table(first: state.position, count: count)
      for layer in layers.indices {
        try observe?(layer, done, hidden)
        apply(layer, to: hidden, state: &state, angles: angles)
        if dropsWeights { layers[layer].discard() }
      }
      try observe?(layers.count, done, hidden)
      norm(hidden, by: finalNorm, into: result.pointer + done * description.hiddenSize)
      state.position += count
      done += count
    }
    return result
  }

  /// Logits [rows, V] of some rows of the final hidden states.
  public func logits(_ hidden: FloatMatrix, rows: Range<Int>) -> FloatMatrix {
    let output = FloatMatrix(rows: rows.count, columns: description.vocabularySize)
    Linear.apply(
      weight: head.weight, bias: nil,
      input: hidden.pointer + rows.lowerBound * description.hiddenSize, tokens: rows.count,
      output: output.pointer)
    if dropsWeights { head.weight.discard() }
    return output
  }

  /// The embeddings of `tokens` [T, H].
  private func embed(_ tokens: ArraySlice<Int>) throws -> FloatMatrix {
    let hidden = FloatMatrix(rows: tokens.count, columns: description.hiddenSize)
    for (row, token) in tokens.enumerated() {
      guard (0..<description.vocabularySize).contains(token) else {
        throw RuntimeError.tokenOutOfRange(token, vocabulary: description.vocabularySize)
      }
      RowDecoder.decode(
        embedding, rows: token..<token + 1,
        into: hidden.pointer + row * description.hiddenSize)
    }
    return hidden
  }

  /// One layer on the residual stream, in place: h += attn(norm h); h += mlp(norm h).
  private func apply(
    _ layer: Int, to hidden: FloatMatrix, state: inout DecodingState, angles: RotaryTable
  ) {
    let weights = layers[layer]
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    norm(hidden, by: weights.mixerNorm, into: normed.pointer)
    if let mixed = mix(layer, normed, state: &state, angles: angles) {
      Vector.add(weights.output(mixed).pointer, count: hidden.count, to: hidden.pointer)
    }
    norm(hidden, by: weights.ffnNorm, into: normed.pointer)
    let gate = weights.ffnGate(normed)
    SwiGLU.apply(
      gate: gate.pointer, up: weights.ffnUp(normed).pointer, count: gate.count, into: gate.pointer)
    Vector.add(weights.ffnDown(gate).pointer, count: hidden.count, to: hidden.pointer)
  }

  /// RMSNorm of every row of `hidden`.
  private func norm(
    _ hidden: FloatMatrix, by weight: [Float], into output: UnsafeMutablePointer<Float>
  ) {
    RMSNorm.apply(
      hidden.pointer, rows: hidden.rows, count: hidden.columns, weight: weight,
      epsilon: Float(description.normEpsilon), into: output)
  }

  /// The heads' outputs of a layer's mixer, or nil when it is switched off.
  private func mix(
    _ layer: Int, _ input: FloatMatrix, state: inout DecodingState, angles: RotaryTable
  ) -> FloatMatrix? {
    switch (description.layers[layer].mixer, state.layers[layer]) {
    case (.gatedLinear, .linear(var memory)):
      var resets: Int?
      if case .state(let every) = ablation { resets = every }
      // Emptied first, or the buffer would be copied on its first write.
      state.layers[layer] = .linear([])
      let mixer = GatedLinearMixer(weights: layers[layer], model: description)
      let output = mixer(input, state: &memory, position: state.position, resets: resets)
      state.layers[layer] = .linear(memory)
      return output
    case (.full, .attention(var cache)), (.window, .attention(var cache)):
      let mixer = SoftmaxMixer(
        weights: layers[layer], model: description, rotary: angles, windowKeys: cache.windowKeys)
      let output = mixer(input, cache: &cache)
      state.layers[layer] = .attention(cache)
      return ablation == .attention ? nil : output
    default:
      preconditionFailure("the state was made for another model")
    }
  }
}

extension RotaryEmbedding {
  /// The rotary embedding of a model's softmax layers.
  init(_ model: ModelDescription) {
    let scaling: RotaryScaling =
      switch model.rotary.scaling {
      case .none: .none
      case .linear(let factor): .linear(factor: Float(factor))
      case .llama3(let factor, let low, let high, let original):
        .llama3(
          factor: Float(factor), lowFrequencyFactor: Float(low), highFrequencyFactor: Float(high),
          originalContext: original)
      case .divisors(let divisors): .divisors(divisors)
      }
    self.init(dimension: model.headDim, theta: model.rotary.theta, scaling: scaling)
  }
}
