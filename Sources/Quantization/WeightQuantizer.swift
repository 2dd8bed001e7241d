public import Architectures
import Kernels
import Runtime
public import StepSettings
public import Streams
public import TensorTypes

/// Rounds the projections of a model to integers, layer by layer, front to back.
///
/// Each layer is run as it is, on what the quantised layers before it give, to learn what its
/// projections read; its projections are rounded; and the stream is taken through the rounded layer.
/// The stream lies on disk and one layer of weights is in memory at a time, as in every sweep. Where
/// the model's activations are spiked, the spiked ones count.
public struct WeightQuantizer {
  /// The model, its projections in floating point.
  public let model: ModelDescription
  /// What it becomes.
  public let quantised: ModelDescription
  private let weights: any WeightSource
  private let settings: QuantizationSettings
  private let sweep: Sweep

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
  public struct LayerReport: Streams.LayerReport {
    /// The layer.
    public var layer: Int
    /// Its projections.
    public var projections: [ProjectionReport]
    /// Seconds spent.
    public var seconds = 0.0
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
    guard model.quantization == nil else { throw QuantizationError.alreadyQuantised }
    if let reason = model.obstacle(to: settings.quantization) {
      throw QuantizationError.doesNotFit(reason)
    }
    self.model = model
    var quantised = model
    quantised.quantization = settings.quantization
    self.quantised = quantised
    self.weights = weights
    self.settings = settings
    sweep = Sweep(of: Segments(samples), layers: model.layers.count, in: directory)
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
  public func finishedReports() throws -> [LayerReport] { try sweep.finishedReports() }

  /// Quantises all layers that are not done; `report` is called after each, `progress` within one
  /// with the share done. Returns the codes and scales of the whole model.
  public func run(
    progress: (_ layer: Int, _ share: Double) throws -> Void = { _, _ in },
    report: (LayerReport) throws -> Void = { _ in }
  ) throws -> LayerTensors {
    try sweep.run(self, progress: { try progress($0.layer, $0.share) }, report: report)
  }
}

extension WeightQuantizer: LayerPass {
  private var stream: Track { Track("student", of: DescribedModel(model, weights: weights)) }

  package var tracks: [Track] { [stream] }

  /// Learns what the layer's projections read, rounds them, and takes the stream through.
  package func pass(_ layer: SweptLayer) throws -> LayerReport {
    let segments = sweep.segments, entering = try layer.entering(stream)
    func run(_ own: StreamedLayer, to next: HiddenStream?, _ share: (Double) -> Double) throws {
      try segments.advance(entering, to: next) { hidden, segment in
        try own.run(hidden, segment)
        try layer.progress(share(Double(segment + 1) / Double(segments.count)))
      }
    }
    let observer = MomentsObserver(model, full: keepsFullMoments)
    let original = try StreamedLayer(
      layer.index, of: stream.model, on: segments, after: entering, observer: observer)
    try run(original, to: nil) { 0.4 * $0 }
    let (made, projections) = try LayerQuantization(
      layer: layer.index, model: model, weights: weights, observer: observer, settings: settings
    ).run()
    original.discardWeights()
    try layer.progress(0.6)
    let kept = Overlay(tensors: try layer.keep(made), below: weights)
    let rounded = try StreamedLayer(
      layer.index, of: DescribedModel(quantised, weights: kept), on: segments, after: entering)
    let next = try layer.leaving(stream)
    try next.write(rounded.sinks, at: -rounded.sinks.rows)
    try run(rounded, to: next) { 0.6 + 0.4 * $0 }
    rounded.discardWeights()
    return LayerReport(layer: layer.index, projections: projections)
  }
}
