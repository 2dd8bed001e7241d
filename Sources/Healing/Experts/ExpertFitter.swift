import Architectures
import Foundation
import Kernels
public import Recipes
import Runtime
import TensorTypes

/// Gives the experts of an upcycled model something to know, without training.
///
/// Layer by layer, front to back: the inputs of the feed-forward part are clustered, and the router
/// sends every token to the expert of its cluster. With a teacher, the down projection of each expert
/// is then refitted on the tokens that it is sent, so that the stream after the layer comes nearer to
/// the teacher's: experts take up damage that linear attention did before them.
///
/// As when healing, streams lie on disk and one layer of weights is in memory at a time.
public final class ExpertFitter {
  /// The upcycled model; where routers are not made yet, its experts are copies.
  let upcycled: DescribedModel
  /// The dense model that it was made from.
  let dense: DescribedModel
  /// The model whose stream is aimed at.
  let teacher: DescribedModel?
  let settings: UpcycleSettings
  let tokens: [Int]
  let segments: Segments
  let workspace: Workspace

  /// A fitter of `upcycled` on `tokens`.
  ///
  /// - Parameter directory: an existing directory for the streams, which may hold those of an
  ///   interrupted run of the same fit.
  public init(
    _ upcycled: DescribedModel, from dense: DescribedModel, teacher: DescribedModel?,
    tokens: [Int], settings: UpcycleSettings, directory: String
  ) throws {
    let model = upcycled.description
    if model.sinkCount > 0 { throw HealingError.cannotCluster("sink tokens") }
    if let teacher = teacher?.description {
      try Healer.requireSameStreams(model, teacher)
    }
    segments = try Segments(of: tokens, limit: settings.tokens, length: settings.context)
    self.upcycled = upcycled
    self.dense = dense
    self.teacher = teacher
    self.settings = settings
    self.tokens = Array(tokens.prefix(segments.tokenCount))
    workspace = Workspace(directory: directory, columns: model.hiddenSize)
  }

  /// The most memory that the refit of one expert takes.
  public var refitBytes: Int {
    guard teacher != nil else { return 0 }
    let width = upcycled.description.feedForwardSize, hidden = upcycled.description.hiddenSize
    // Sums of training and held-out tokens, and a factor.
    return MemoryLayout<Double>.stride * (3 * width * width + 2 * width * hidden)
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  public func finishedReports() throws -> [LayerReport] {
    try (0..<workspace.finishedLayers()).map { try workspace.report(ofLayer: $0) }
  }

  /// Runs the fit; `report` is called after each layer, `progress` with the share done. Returns the
  /// routers and the refitted tensors.
  public func run(
    progress: (Double) throws -> Void, report: (LayerReport) throws -> Void
  ) throws -> HealedTensors {
    try HealSettings().precision.used {
      var fitted = try workspace.healedTensors()
      let depth = upcycled.description.layers.count
      let start = try workspace.start()
      if start == 0 { try embed() }
      for layer in start..<depth {
        let began = Date()
        var (tensors, found) = try pass(layer) { share in
          try progress((Double(layer) + share) / Double(depth))
        }
        if let tensors { fitted.merge(tensors) }
        found.seconds = Date().timeIntervalSince(began)
        try workspace.finish(layer, found)
        try report(found)
      }
      return fitted
    }
  }

  /// Mean KL(teacher‖model) over the held-out tokens of the dense model and of the fitted one, in
  /// nats; nil without a teacher. Call after `run`.
  public func divergences() throws -> (before: Double, after: Double)? {
    guard let teacher else { return nil }
    let depth = upcycled.description.layers.count
    let source = try workspace.stream(.teacher, entering: depth)
    let reference = try Predictions(teacher.description, weights: teacher.weights)
    let predictions = try Predictions(dense.description, weights: dense.weights)
    let streams = try [Workspace.Kind.copy, .student].map {
      try workspace.stream($0, entering: depth)
    }
    let heldOut = segments.tokens(of: segments.heldOut)
    var sums = [0.0, 0.0]
    for first in stride(
      from: heldOut.lowerBound, to: heldOut.upperBound, by: Predictions.rowsAtOnce)
    {
      let count = min(Predictions.rowsAtOnce, heldOut.upperBound - first)
      let expected = try reference.logits(source.read(first, count: count))
      for (index, stream) in streams.enumerated() {
        sums[index] += Predictions.divergence(
          of: try predictions.logits(stream.read(first, count: count)), from: expected)
      }
    }
    let count = Double(heldOut.count)
    return (sums[0] / count, sums[1] / count)
  }

  /// Writes the streams' first state: the embeddings.
  private func embed() throws {
    func write(_ model: DescribedModel, to kind: Workspace.Kind, _ chosen: Range<Int>) throws {
      let stream = try workspace.stream(kind, entering: 0)
      let embedding = try EmbeddingRows(model.weights, model: model.description)
      for segment in chosen {
        let first = segments.firstToken(of: segment)
        try stream.write(embedding.rows(tokens[first..<first + segments.length]), at: first)
      }
    }
    try write(upcycled, to: .student, 0..<segments.count)
    if let teacher {
      try write(teacher, to: .teacher, 0..<segments.count)
      try write(dense, to: .copy, segments.heldOut)
    }
  }
}
