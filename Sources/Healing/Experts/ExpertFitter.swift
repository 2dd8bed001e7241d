import Architectures
import Foundation
import Runtime
public import StepSettings
public import Streams

/// Gives the experts of an upcycled model something to know, without training.
///
/// Layer by layer, front to back: the inputs of the feed-forward part are clustered, and the router
/// sends every token to the expert of its cluster. With a teacher, the down projection of each expert
/// is then refitted on the tokens that it is sent, so that the stream after the layer comes nearer to
/// the teacher's: experts take up damage that linear attention did before them.
///
/// Streams lie on disk and one layer of weights is in memory at a time, as in every sweep.
public struct ExpertFitter {
  /// The upcycled model; where routers are not made yet, its experts are copies.
  let upcycled: DescribedModel
  /// The dense model that it was made from.
  let dense: DescribedModel
  /// The model whose stream is aimed at.
  let teacher: DescribedModel?
  let settings: UpcycleSettings
  let sweep: Sweep
  var segments: Segments { sweep.segments }

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
      if model.normPlacement.isAfter { throw HealingError.normBehindExperts }
      try Healer.requireSameStreams(model, teacher)
    }
    self.upcycled = upcycled
    self.dense = dense
    self.teacher = teacher
    self.settings = settings
    sweep = Sweep(
      of: try Segments(of: tokens, limit: settings.tokens, length: settings.context),
      layers: model.layers.count, in: directory)
  }

  /// The most memory that the refit of one expert takes.
  public var refitBytes: Int {
    guard teacher != nil else { return 0 }
    let width = upcycled.description.feedForwardSize, hidden = upcycled.description.hiddenSize
    // Sums of training and held-out tokens, and a factor.
    return MemoryLayout<Double>.stride * (3 * width * width + 2 * width * hidden)
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  public func finishedReports() throws -> [LayerReport] { try sweep.finishedReports() }

  /// Runs the fit; `report` is called after each layer, `progress` with the share done. Returns the
  /// routers and the refitted tensors.
  public func run(
    progress: (Double) throws -> Void, report: (LayerReport) throws -> Void
  ) throws -> LayerTensors {
    try HealSettings().precision.used {
      try sweep.run(self, progress: { try progress($0.total) }, report: report)
    }
  }

  /// Mean KL(teacher‖model) over the held-out tokens of the dense model and of the fitted one, in
  /// nats; nil without a teacher. Call after `run`.
  public func divergences() throws -> (before: Double, after: Double)? {
    guard let teacher else { return nil }
    func last(_ track: Track) throws -> HiddenStream {
      try sweep.stream(track, entering: sweep.depth)
    }
    let found = try Predictions(of: dense).divergences(
      of: [last(copy), last(student)], from: last(goal(teacher)), of: Predictions(of: teacher),
      over: segments.tokens(of: segments.heldOut))
    return (found[0], found[1])
  }

  /// The stream of the model that is made.
  var student: Track { Track("student", of: upcycled) }
  /// The stream that is aimed at.
  func goal(_ teacher: DescribedModel) -> Track { Track("teacher", of: teacher) }
  /// That of the model whose experts are copies, to compare with.
  var copy: Track { Track("copy", of: dense, segments: segments.heldOut) }
}
