import Architectures
import Foundation
import Kernels
import Runtime
import TensorTypes

/// One walk through the layers of a model, front to back, with the streams of a text on disk and one
/// layer of weights in memory at a time.
///
/// What is done at a layer is a `LayerPass`. A sweep gives it the streams that enter, keeps what it
/// makes and finds, and goes on after an interruption with the layer that was not finished. Several
/// ranks share the segments of the text; all see the same directory and the same weights.
package struct Sweep {
  /// The text.
  package let segments: Segments
  /// Layers.
  package let depth: Int
  /// Its files.
  package let workspace: Workspace

  /// A sweep over `depth` layers on `segments`.
  ///
  /// - Parameter directory: an existing directory for its files, which may hold those of an
  ///   interrupted run of the same.
  package init(of segments: Segments, layers depth: Int, in directory: String) {
    self.segments = segments
    self.depth = depth
    workspace = Workspace(directory: directory, ranks: segments.ranks)
  }

  /// Runs `pass` in all layers that are not finished; `report` is called after each, `progress` as
  /// the pass goes on. Returns the tensors that were kept of all layers.
  package func run<Pass: LayerPass>(
    _ pass: Pass, progress: (SweepProgress) throws -> Void, report: (Pass.Report) throws -> Void
  ) throws -> LayerTensors {
    var kept = try workspace.tensors()
    let start = try workspace.start()
    if start == 0 { for track in pass.tracks { try embed(track) } }
    let schedule = pass.schedule ?? Schedule(layers: [Double](repeating: 1, count: depth))
    for index in start..<max(start, depth) {
      let began = Date()
      let (tensors, found) = try withoutActuallyEscaping(progress) { progress in
        let layer = SweptLayer(index, of: self) { share, error in
          try progress(
            SweepProgress(
              layer: index, share: share, error: error,
              total: schedule.share(layers: Double(index) + share)))
        }
        var found = try pass.pass(layer)
        found.seconds = Date().timeIntervalSince(began)
        try layer.finish(found)
        return (layer.tensors, found)
      }
      kept.merge(tensors)
      try report(found)
    }
    return kept
  }

  /// What an interrupted run, if there was one, found of the layers it finished.
  package func finishedReports<Report: LayerReport>() throws -> [Report] {
    try (0..<workspace.finishedLayers()).map { try workspace.report(ofLayer: $0) }
  }

  /// The stream of `track` where it enters `layer`; `depth` for what leaves the last one.
  package func stream(_ track: Track, entering layer: Int) throws(StreamError) -> HiddenStream {
    let model = track.model.description
    return try HiddenStream(
      path: workspace.path(track.name, entering: layer), columns: model.hiddenSize,
      first: track.segments.map { segments.tokens(of: $0).lowerBound } ?? -model.sinkCount)
  }

  /// Writes what enters layer 0.
  private func embed(_ track: Track) throws {
    let stream = try stream(track, entering: 0)
    let embedding = try EmbeddingRows(track.model.weights, model: track.model.description)
    for segment in segments.own(track.segments ?? 0..<segments.count) {
      try stream.write(
        embedding.rows(segments[segment]), at: segments.range(of: segment).lowerBound)
    }
    if track.segments == nil { try stream.write(embedding.sinks, at: -embedding.sinks.rows) }
  }

  /// About the most memory that `pass` takes, in bytes, with a layer of each of `models` mapped.
  package func memoryNeeded(
    for pass: some LayerPass, models: [DescribedModel]
  ) throws -> Int {
    // The program, and panels of decoded weights.
    let program = (56 << 20) + Parallel.threadCount * (4 << 20)
    let layers = try models.reduce(0) { try $0 + $1.largestLayer() }
    let segment = models.map { segments.length * $0.description.tokenBytes }.max() ?? 0
    return program + layers + max(segment, pass.bytes)
  }
}

extension DescribedModel {
  /// Bytes of the largest layer, in the type of its attention.
  fileprivate func largestLayer() throws -> Int {
    try description.layers.indices.map { layer in
      let type = try weights.view(TensorAddress(.query, layer: layer)).type
      return description.requirements(ofLayer: layer).reduce(0) {
        $0 + ($1.shape.byteCount(type) ?? 0)
      }
    }.max() ?? 0
  }
}

extension ModelDescription {
  /// Bytes that are held for a token while it passes through a layer.
  fileprivate var tokenBytes: Int {
    let neurons = layers.map { $0.feedForward.experts?.activeSize ?? feedForwardSize }.max() ?? 0
    return MemoryLayout<Float>.stride * (6 * hiddenSize + 3 * queryWidth + 3 * neurons)
  }
}
