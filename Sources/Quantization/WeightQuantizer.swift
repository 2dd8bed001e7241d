public import Architectures
import Foundation
public import Healing
import Kernels
public import StepSettings
import Runtime
public import TensorTypes

/// Rounds the projections of a model to INT8, layer by layer, front to back.
///
/// The residual stream of the calibration text lies on disk. Each layer is run as it is, on what the
/// quantised layers before it give, to learn what its projections read; its projections are
/// rounded; and the stream is taken through the rounded layer. One layer of weights is in memory
/// at a time. Where the model's activations are spiked, the spiked ones count.
public final class WeightQuantizer {
  /// The model, its projections in floating point.
  public let model: ModelDescription
  /// What it becomes.
  public let quantised: ModelDescription
  private let weights: any WeightSource
  private let samples: [[Int]]
  private let settings: QuantizationSettings
  private let workspace: Workspace

  /// What was found of a projection.
  public struct ProjectionReport: Sendable, Codable {
    /// `layers.3.experts.5.down_proj`.
    public var name: String
    /// |x (W - Ŵ)ᵀ| / |x Wᵀ| over the calibration text, root mean square; without the full moments
    /// as if input channels were independent. Nil when the text told nothing.
    public var error: Double?
    /// Whether it is an expert that was sent no token, and takes the moments of all.
    public var isIdle: Bool
    /// Bytes of codes and of scales.
    public var codeBytes: Int
    public var scaleBytes: Int
    /// The same error for all ways of rounding, when they are compared.
    public var compared: [String: Double]?
  }

  /// What was found of a layer.
  public struct LayerReport: Sendable, Codable {
    /// The layer.
    public var layer: Int
    /// Its projections.
    public var projections: [ProjectionReport]
    /// Seconds spent.
    public var seconds: Double
  }

  /// A quantiser of `model`.
  ///
  /// - Parameters:
  ///   - samples: pieces of text as tokens, each read from an empty state.
  ///   - directory: an existing directory for the stream, which may hold that of an interrupted run
  ///     of the same quantisation.
  public init(
    model: ModelDescription, weights: any WeightSource, samples: [[Int]],
    settings: QuantizationSettings, directory: String
  ) throws {
    guard model.int8Weights == nil else { throw QuantizationError.alreadyQuantised }
    self.model = model
    var quantised = model
    quantised.int8Weights = settings.granularity
    self.quantised = quantised
    self.weights = weights
    self.samples = samples
    self.settings = settings
    workspace = Workspace(directory: directory, columns: model.hiddenSize)
  }

  /// Whether all products of inputs are kept, not only their squares.
  private var keepsFullMoments: Bool { settings.rounding == .gptq || settings.comparing }

  /// Bytes of the largest layer's second moments and of the factor of the largest of them.
  public var momentBytes: Int {
    guard keepsFullMoments else { return 0 }
    return model.layers.map { layer in
      var sizes = [model.hiddenSize, model.queryWidth]
      if let experts = layer.feedForward.experts {
        for _ in 0..<experts.routed { sizes += [model.hiddenSize, experts.size] }
        if experts.shared > 0 { sizes += [model.hiddenSize, experts.sharedSize] }
      } else {
        sizes += [model.hiddenSize, model.feedForwardSize]
      }
      let largest = sizes.max() ?? 0
      return sizes.reduce(0) { $0 + 8 * $1 * $1 } + 12 * largest * largest
    }.max() ?? 0
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  public func finishedReports() throws -> [LayerReport] {
    try (0..<workspace.finishedLayers()).map { try workspace.report(ofLayer: $0) }
  }

  /// Quantises all layers that are not done; `report` is called after each, `progress` within one
  /// with the share done. Returns the codes and scales of the whole model.
  public func run(
    progress: (_ layer: Int, _ share: Double) throws -> Void = { _, _ in },
    report: (LayerReport) throws -> Void = { _ in }
  ) throws -> HealedTensors {
    var all = try workspace.healedTensors()
    let start = try workspace.start()
    if start == 0 { try embed() }
    for layer in start..<model.layers.count {
      let began = Date()
      let (tensors, projections) = try pass(layer) { try progress(layer, $0) }
      all.merge(tensors)
      let found = LayerReport(
        layer: layer, projections: projections, seconds: Date().timeIntervalSince(began))
      try workspace.finish(layer, found)
      try report(found)
    }
    return all
  }

  /// Sinks and samples, one after the other in the stream.
  private var pieces: [(first: Int, tokens: [Int])] {
    var first = model.sinkCount
    return samples.map { sample in
      defer { first += sample.count }
      return (first, sample)
    }
  }

  private func embed() throws {
    let stream = try workspace.stream(.student, entering: 0)
    let rows = try EmbeddingRows(weights, model: model)
    try stream.write(rows.sinks, at: 0)
    for (first, tokens) in pieces { try stream.write(rows.rows(tokens), at: first) }
  }

  private func pass(
    _ layer: Int, progress: (Double) throws -> Void
  ) throws -> (HealedTensors, [ProjectionReport]) {
    let stream = try workspace.stream(.student, entering: layer)
    let observer = MomentsObserver(model, full: keepsFullMoments)
    let original = try LayerWeights(layer, of: model, from: weights, observer: observer)
    try run(layer, model, original, from: stream, to: nil) { try progress(0.4 * $0) }
    let (made, reports) = try LayerQuantization(
      layer: layer, model: model, weights: weights, observer: observer, settings: settings
    ).run()
    original.discard()
    try progress(0.6)
    let tensors = try workspace.keep(made, ofLayer: layer)
    let rounded = try LayerWeights(
      layer, of: quantised, from: Overlay(tensors: tensors, below: weights))
    let next = try workspace.stream(.student, entering: layer + 1)
    try run(layer, quantised, rounded, from: stream, to: next) { try progress(0.6 + 0.4 * $0) }
    rounded.discard()
    return (tensors, reports)
  }

  /// Takes the stream through a layer.
  private func run(
    _ layer: Int, _ model: ModelDescription, _ weights: LayerWeights, from stream: HiddenStream,
    to next: HiddenStream?, progress: (Double) throws -> Void
  ) throws {
    let runner = LayerRunner(weights: weights, model: model)
    let sinks = try stream.read(0, count: model.sinkCount)
    let start = try runner.start(ofLayer: layer, after: sinks)
    try next?.write(sinks, at: 0)
    let rotary = RotaryEmbedding(model)
    for (index, (first, tokens)) in pieces.enumerated() {
      var passage = Passage(position: 0)
      passage.tokens = tokens
      var state = start
      let hidden = try stream.read(first, count: tokens.count)
      try runner.run(
        hidden, state: &state, passage: passage,
        angles: rotary.table(first: model.sinkCount, count: tokens.count))
      try next?.write(hidden, at: first)
      try progress(Double(index + 1) / Double(samples.count))
    }
  }
}
