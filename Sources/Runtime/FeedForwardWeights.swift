package import Architectures
package import Kernels

/// The weights of a layer's feed-forward part.
package enum FeedForwardWeights {
  case dense(SwiGLUWeights)
  case experts(ExpertWeights)

  var maps: [LinearMap] {
    switch self {
    case .dense(let weights): weights.maps
    case .experts(let weights): weights.maps
    }
  }
}

/// down(activation(gate x) · up x): a dense feed-forward part, or one expert.
package struct SwiGLUWeights {
  package let activation: Activation
  package let gate: LinearMap
  package let up: LinearMap
  package let down: LinearMap

  var maps: [LinearMap] { [gate, up, down] }

  /// Applies it to every row of `input` [T, H].
  package func callAsFunction(_ input: FloatMatrix) throws -> FloatMatrix {
    try down(neurons(input))
  }

  /// activation(gate x) · up x [T, F]: what `down` reads.
  package func neurons(_ input: FloatMatrix) throws -> FloatMatrix {
    let gated = try gate(input)
    gated.gate(try up(input), by: activation)
    return gated
  }
}

/// Router and experts of a layer.
package struct ExpertWeights {
  package let layout: FeedForward.Experts
  package let router: LinearMap
  package let routed: [SwiGLUWeights]
  package let shared: SwiGLUWeights?

  var maps: [LinearMap] {
    [router] + routed.flatMap(\.maps) + (shared?.maps ?? [])
  }
}
