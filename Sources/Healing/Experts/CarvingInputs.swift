import Architectures
import Foundations
import Kernels
import Runtime
import Streams

/// What a feed-forward part reads on a text, for the statistics of its neurons and their router.
struct CarvingInputs {
  /// The layer: its norm makes the inputs.
  let runner: LayerRunner
  /// The stream after attention [tokens, H].
  let middle: HiddenStream
  let massive: MassiveTokens
  let segments: Segments

  /// Statistics of the neurons of `part`. Massive tokens count for the strength of neurons, so that
  /// those that make attention sinks are shared, but for no region.
  func statistics(
    of part: SwiGLUWeights, generator: inout SplitMix64
  ) throws -> NeuronStatistics {
    let sample = segments.sample(columns: middle.columns, leavingOut: massive)
    let regions = SphericalClusters(
      of: runner.ffnInput(try middle.read(sample)), count: NeuronStatistics.regions,
      generator: &generator)
    var statistics = NeuronStatistics(of: part, directions: regions.directions)
    let training = segments.tokens(of: segments.training)
    let tokens = (sample + massive.indices.filter { training.contains($0) }).sorted()
    try middle.forEachBlock(of: tokens) { hidden, block in
      try statistics.add(
        runner.ffnInput(hidden), massive: block.map { massive.indices.contains($0) })
    }
    return statistics
  }

  /// The router [N, H] whose scores are nearest to what the experts add.
  func router(to carved: CarvedNeurons, of part: SwiGLUWeights) throws -> FloatMatrix {
    let scales = NeuronStatistics.scales(of: part)
    func sums(_ tokens: [Int]) throws -> Gram {
      let sums = Gram(features: middle.columns, targets: carved.experts.routed)
      try middle.forEachBlock(of: tokens) { hidden, block in
        let inputs = runner.ffnInput(hidden)
        sums.add(
          inputs, try carved.strengths(part.neurons(inputs), scales: scales),
          weights: [Float](repeating: 1, count: block.count))
      }
      return sums
    }
    let heldOut = segments.tokens(of: segments.heldOut).filter { !massive.indices.contains($0) }
    return RidgeFit(
      training: try sums(segments.sample(columns: middle.columns, leavingOut: massive)),
      heldOut: try sums(heldOut),
      prior: FloatMatrix(rows: carved.experts.routed, columns: middle.columns).zeros
    ).weight
  }
}
