import Glibc
package import Kernels
import Runtime

/// One layer as a pass meets it: the streams that enter and leave it, and room for what is made.
package final class SweptLayer {
  /// Which layer.
  package let index: Int
  /// The text.
  package var segments: Segments { sweep.segments }
  private let sweep: Sweep
  /// What was kept.
  private(set) var tensors = LayerTensors()
  private var leaving: Set<String> = []
  /// Files that are needed no more when the layer is finished.
  private var passed: Set<String> = []
  private let report: (Double, Double?) throws -> Void

  init(
    _ index: Int, of sweep: Sweep,
    progress: @escaping (_ share: Double, _ error: Double?) throws -> Void
  ) {
    self.index = index
    self.sweep = sweep
    report = progress
  }

  /// Says what share of the layer is done, and what is minimised in it.
  package func progress(_ share: Double, error: Double? = nil) throws { try report(share, error) }

  /// The stream of `track` that enters the layer.
  package func entering(_ track: Track) throws -> HiddenStream {
    let stream = try sweep.stream(track, entering: index)
    passed.insert(stream.path)
    return stream
  }

  /// The stream of `track` that leaves the layer.
  package func leaving(_ track: Track) throws -> HiddenStream {
    leaving.insert(track.name)
    return try sweep.stream(track, entering: index + 1)
  }

  /// A file for numbers of all tokens that only this layer needs [tokens, columns].
  package func scratch(_ name: String, columns: Int) throws -> HiddenStream {
    let stream = try HiddenStream(path: sweep.workspace.path(name), columns: columns)
    passed.insert(stream.path)
    return stream
  }

  /// Takes the segments of this process of `track` from what enters the layer to what leaves it, each
  /// changed in place by `change`, which is told its number.
  package func advance(
    _ track: Track, _ change: (_ hidden: FloatMatrix, _ segment: Int) throws -> Void
  ) throws {
    try segments.advance(
      entering(track), to: leaving(track), only: track.segments, change)
  }

  /// Keeps tensors on disk and returns them from there, mapped, so that those of a large model need
  /// no memory.
  package func keep(_ made: LayerTensors) throws -> LayerTensors {
    tensors = try sweep.workspace.keep(made, ofLayer: index)
    return tensors
  }

  /// Records that the layer is done and removes what it read.
  func finish(_ found: some LayerReport) throws {
    try sweep.workspace.finish(index, found, leaving: leaving.sorted())
    for path in passed { unlink(path) }
  }
}
