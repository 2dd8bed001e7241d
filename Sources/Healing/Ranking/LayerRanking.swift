public import Architectures
import Foundation
import Recipes
public import TensorTypes

/// Measures what each layer of a source model would cost as a linear layer.
///
/// Front to back, one layer of weights in memory: the layer's attention is fitted in closed form by
/// a short-memory linear layer on the training segments. On the held-out segments the rest of the
/// source then runs with that one layer's attention replaced by its fit, and how far the
/// predictions end up from the source's is what the layer costs. All these variants pass through a
/// layer together, so every weight is read once.
public struct LayerRanking {
  let model: ModelDescription
  let weights: any WeightSource
  let tokens: [Int]
  let segments: Segments
  let directory: String

  /// How layers are fitted: as the closed form of a healing.
  static let settings: HealSettings = {
    var settings = HealSettings()
    settings.method = .ridge
    return settings
  }()

  /// What one layer costs.
  public struct Score: Sendable, Equatable, Codable {
    /// The layer.
    public var layer: Int
    /// Mean KL(source‖source with this layer linear) over held-out tokens, in nats.
    public var divergence: Double
    /// Held-out squared error of the fitted attention output, relative to the source's.
    public var error: Double

    /// A score.
    public init(layer: Int, divergence: Double, error: Double) {
      self.layer = layer
      self.divergence = divergence
      self.error = error
    }
  }

  /// A ranking of the layers of `model` on `tokens`.
  ///
  /// - Parameters:
  ///   - context: tokens per segment, each read from an empty state; four segments are needed.
  ///   - directory: an existing directory for streams, which are removed, and for the scores, which
  ///     stay: a run that was stopped later finds them there.
  public init(
    model: ModelDescription, weights: any WeightSource, tokens: [Int], context: Int,
    directory: String
  ) throws {
    segments = try Segments(of: tokens, length: context)
    self.model = model
    self.weights = weights
    self.tokens = Array(tokens.prefix(segments.tokenCount))
    self.directory = directory
  }

  /// The most costly layers first; of equals, the first layer first.
  public static func ranked(_ scores: [Score]) -> [Score] {
    scores.sorted { ($1.divergence, $0.layer) < ($0.divergence, $1.layer) }
  }

  /// The score of every layer, in order of layers; `progress` is called with the share done.
  public func scores(progress: (Double) throws -> Void = { _ in }) throws -> [Score] {
    if let stored: [Score] = try SealedFile.read(scoresPath) { return stored }
    let scores = try measure(progress: progress)
    try SealedFile.write(scores, to: scoresPath)
    return scores
  }

  private var scoresPath: String { directory + "/ranking.json" }
}
