import Architectures
import Kernels
public import Runtime

/// How far a model's logits are from another's on the same tokens.
public struct LogitDistance: Sendable {
  /// The largest difference over all positions and logits, relative to the largest logit.
  public let relative: Double
  /// The root mean square of the differences relative to that of the reference's logits.
  public let rootMeanSquare: Double
  /// Tokens compared.
  public let tokens: Int
  /// The least and most tokens that an expert was sent, over all layers with experts; nil when the
  /// model has none.
  public let load: ClosedRange<Int>?

  /// Runs both models on `tokens` from an empty state.
  public init(of model: Model, from reference: Model, on tokens: [Int]) throws {
    var counts: [Int] = []
    func hidden(_ model: Model, counting: Bool) throws -> FloatMatrix {
      var state = DecodingState(for: model.description)
      let observe: (Int, Routing) -> Void = { layer, routing in
        guard counting, let experts = model.description.layers[layer].feedForward.experts else {
          return
        }
        counts += routing.load(of: experts.routed)
      }
      return try model.extend(&state, with: tokens, observeRouting: observe)
    }
    let expected = try hidden(reference, counting: false)
    let got = try hidden(model, counting: true)
    let comparison = try LogitsComparison((reference, expected), (model, got))
    relative = comparison.difference
    rootMeanSquare = comparison.rootMeanSquare
    self.tokens = tokens.count
    if let least = counts.min(), let most = counts.max() { load = least...most } else { load = nil }
  }
}
