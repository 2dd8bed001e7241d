import Architectures
import Foundation
public import Runtime

/// How evenly the tokens of a text are spread over the routed experts of each layer.
public struct ExpertLoad: Sendable {
  /// One layer with experts.
  public struct Layer: Sendable {
    /// The layer.
    public var layer: Int
    /// How often each routed expert was chosen.
    public var counts: [Int]
    /// Mean probability of each token's first expert.
    public var probability = 0.0

    /// The share of each expert of all choices.
    public var shares: [Double] {
      let total = Double(max(1, counts.reduce(0, +)))
      return counts.map { Double($0) / total }
    }

    /// Entropy of the shares relative to that of equal ones: 1 is even, 0 is one expert for all.
    public var evenness: Double {
      guard counts.count > 1 else { return 1 }
      return -shares.reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) } / log(Double(counts.count))
    }

    /// Experts that were never chosen.
    public var unused: [Int] { counts.indices.filter { counts[$0] == 0 } }
  }

  /// Tokens read.
  public let tokens: Int
  /// The layers with experts, in order.
  public let layers: [Layer]

  /// Reads `tokens` in segments of `context`, each from an empty state.
  ///
  /// - Parameter progress: called after each segment with the share done.
  public init(
    of model: Model, on tokens: [Int], context: Int, progress: (Double) -> Void = { _ in }
  ) throws {
    var layers = model.description.layers.enumerated().reduce(into: [Int: Layer]()) {
      guard let experts = $1.element.feedForward.experts else { return }
      $0[$1.offset] = Layer(
        layer: $1.offset, counts: [Int](repeating: 0, count: experts.routed))
    }
    for start in stride(from: 0, to: tokens.count, by: context) {
      let segment = tokens[start..<min(start + context, tokens.count)]
      var state = DecodingState(for: model.description)
      _ = try model.extend(
        &state, with: Array(segment),
        observeRouting: { layer, routing in
          for expert in routing.experts { layers[layer]?.counts[expert] += 1 }
          for first in stride(from: 0, to: routing.probabilities.count, by: routing.chosen) {
            layers[layer]?.probability +=
              Double(routing.probabilities[first]) / Double(tokens.count)
          }
        })
      progress(Double(segment.endIndex) / Double(tokens.count))
    }
    self.tokens = tokens.count
    self.layers = layers.values.sorted { $0.layer < $1.layer }
  }
}
