package import Architectures
package import Kernels

/// The rotary embeddings of a model's layers; equal ones are one.
package struct ModelRotary: Sendable {
  private let embeddings: [RotaryEmbedding]
  /// Per layer the index of its embedding; nil without one.
  private let indices: [Int?]

  /// The embeddings of the softmax attention of `model`.
  package init(_ model: ModelDescription) {
    var embeddings: [RotaryEmbedding] = []
    indices = model.layers.indices.map { layer in
      guard let embedding = RotaryEmbedding(model, layer: layer) else { return nil }
      if let index = embeddings.firstIndex(of: embedding) { return index }
      embeddings.append(embedding)
      return embeddings.count - 1
    }
    self.embeddings = embeddings
  }

  /// Cosines and sines of `count` positions from `first` on for every layer.
  package func tables(first: Int, count: Int) -> Tables {
    Tables(tables: embeddings.map { $0.table(first: first, count: count) }, indices: indices)
  }

  /// The tables of some positions.
  package struct Tables: Sendable {
    fileprivate let tables: [RotaryTable]
    fileprivate let indices: [Int?]

    /// The table of layer `layer`; nil when it does not turn q and k.
    package subscript(layer: Int) -> RotaryTable? { indices[layer].map { tables[$0] } }
  }
}

extension RotaryEmbedding {
  /// The rotary embedding of layer `layer` of `model`; nil when it has none.
  package init?(_ model: ModelDescription, layer: Int) {
    guard let parameters = model.rotary(ofLayer: layer) else { return nil }
    self.init(parameters, headDim: model.headDim)
  }

  /// The rotary embedding of the layers of a model that have none of their own.
  package init(_ model: ModelDescription) { self.init(model.rotary, headDim: model.headDim) }

  private init(_ parameters: RotaryParameters, headDim: Int) {
    let scaling: RotaryScaling =
      switch parameters.scaling {
      case .none: .none
      case .linear(let factor): .linear(factor: Float(factor))
      case .llama3(let factor, let low, let high, let original):
        .llama3(
          factor: Float(factor), lowFrequencyFactor: Float(low), highFrequencyFactor: Float(high),
          originalContext: original)
      case .yarn(let factor, let fast, let slow, let truncates, let original):
        .yarn(
          factor: factor, fast: fast, slow: slow, truncates: truncates, originalContext: original)
      case .divisors(let divisors): .divisors(divisors)
      case .wavelengths(let factors): .wavelengths(factors)
      }
    self.init(
      dimension: parameters.channels ?? headDim, of: headDim, theta: parameters.theta,
      scaling: scaling, magnitude: Float(parameters.magnitude))
  }
}

extension RuntimeError {
  /// Throws when a text of `tokens` tokens is longer than the `limit` of a model, if it has one.
  package static func requireLength(_ tokens: Int, within limit: Int?) throws(RuntimeError) {
    guard let limit, tokens > limit else { return }
    throw .tooLong(tokens, limit: limit)
  }
}
