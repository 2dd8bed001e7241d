import Architectures
import Kernels
import Runtime

extension Healer {
  /// Takes the sinks and the healed stream through a layer and measures how far it is from the
  /// source's.
  func passStudent(
    _ layer: Int, _ weights: LayerWeights, sinks: FloatMatrix, from stream: HiddenStream,
    to next: HiddenStream, source: HiddenStream, massive: MassiveTokens
  ) throws -> (drift: Double, sink: Double) {
    let runner = LayerRunner(weights: weights, model: model)
    let start = try runner.start(ofLayer: layer, after: sinks)
    try workspace.stream(.sinks, entering: layer + 1).write(sinks, at: 0)
    let angles = RotaryEmbedding(model).table(first: sinks.rows, count: segments.length)
    var drift = Drift()
    for segment in segments.own {
      let first = segments.firstToken(of: segment)
      let hidden = try stream.read(first, count: segments.length)
      var state = start
      try runner.run(hidden, state: &state, position: 0, angles: angles)
      try next.write(hidden, at: first)
      drift.add(
        hidden, source: try source.read(first, count: segments.length), first: first,
        massive: massive)
    }
    weights.discard()
    try drift.collect(over: segments.ranks)
    return (drift.median, drift.sink)
  }
}
