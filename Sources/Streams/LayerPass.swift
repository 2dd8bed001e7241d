/// What a sweep does at each layer of a model: a value that knows how to take streams through a
/// layer, and what it wants to find or make there.
package protocol LayerPass {
  /// What it finds of a layer.
  associatedtype Report: LayerReport

  /// The streams that begin with the embeddings.
  var tracks: [Track] { get }

  /// Takes the streams through one layer: reads those that enter it and writes those that leave it.
  /// What it does must follow from these and from the models alone, so that a layer that was
  /// interrupted can be begun again.
  func pass(_ layer: SweptLayer) throws -> Report

  /// How the time is spread over the layers; nil for evenly.
  var schedule: Schedule? { get }

  /// The most memory that it takes besides streams and weights, in bytes.
  var bytes: Int { get }
}

extension LayerPass {
  package var schedule: Schedule? { nil }
  package var bytes: Int { 0 }
}

/// What was found of a layer.
package protocol LayerReport: Sendable, Codable {
  /// The layer.
  var layer: Int { get }
  /// Seconds spent.
  var seconds: Double { get set }
}

/// Where a sweep is.
package struct SweepProgress {
  /// The layer it is in.
  package let layer: Int
  /// The share of it that is done.
  package let share: Double
  /// What the pass minimises there, where it does.
  package let error: Double?
  /// The share of the whole sweep that is done.
  package let total: Double
}
