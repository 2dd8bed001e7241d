public import Architectures
import Runtime
public import StepSettings
public import Streams

/// Divides the neurons of dense feed-forward parts among experts by what they do on a text.
///
/// Layer by layer, front to back, on the stream of the carved model: the neurons that add most to
/// the output on all tokens form the shared expert. The others are clustered by the regions of the
/// inputs in which they do most, in clusters of equal size, one for each routed expert. The router
/// is a ridge regression of what each expert adds on the inputs, and so a matrix like any other.
///
/// The stream lies on disk and one layer of weights is in memory at a time, as in every sweep.
public struct ExpertCarver {
  /// The model that is carved.
  let dense: DescribedModel
  /// What it becomes.
  let target: ModelDescription
  let settings: UpcycleSettings
  let sweep: Sweep
  var segments: Segments { sweep.segments }
  /// The stream of the carved model.
  var student: Track { Track("student", of: dense) }

  /// What is known of a layer after it was passed.
  public struct LayerReport: Streams.LayerReport {
    /// The layer.
    public var layer: Int
    /// The neurons of the shared expert, then those of each routed one; empty in a dense layer.
    public var neurons: [Int] = []
    /// How often each routed expert is chosen.
    public var tokens: [Int] = []
    /// Squared error of the feed-forward output on held-out tokens, relative to the output: of the
    /// experts, and of as many neurons that are the same for all tokens.
    public var error = 0.0
    public var fixedError = 0.0
    /// Seconds spent.
    public var seconds = 0.0

    init(layer: Int) { self.layer = layer }
  }

  /// A carver of `dense` into the experts of `target` by `tokens`.
  ///
  /// - Parameter directory: an existing directory for the streams, which may hold those of an
  ///   interrupted run of the same carving.
  public init(
    _ dense: DescribedModel, into target: ModelDescription, tokens: [Int],
    settings: UpcycleSettings, directory: String
  ) throws {
    if target.sinkCount > 0 { throw HealingError.cannotCarve("sink tokens") }
    self.dense = dense
    self.target = target
    self.settings = settings
    sweep = Sweep(
      of: try Segments(of: tokens, limit: settings.tokens, length: settings.context),
      layers: target.layers.count, in: directory)
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  public func finishedReports() throws -> [LayerReport] { try sweep.finishedReports() }

  /// Carves all layers that are not done; `report` is called after each, `progress` with the share
  /// done. Returns the routers.
  public func run(
    progress: (Double) throws -> Void, report: (LayerReport) throws -> Void
  ) throws -> LayerTensors {
    try sweep.run(self, progress: { try progress($0.total) }, report: report)
  }
}
