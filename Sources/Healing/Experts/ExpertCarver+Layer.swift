import Architectures
import Foundations
import Kernels
import Runtime
import StepSettings
package import Streams
import TensorTypes

extension ExpertCarver: LayerPass {
  package var tracks: [Track] { [student] }

  /// Takes the stream through one layer, carving its feed-forward part if it is to be carved.
  package func pass(_ layer: SweptLayer) throws -> LayerReport {
    let own = try StreamedLayer(layer.index, of: dense, on: segments)
    defer { own.discardWeights() }
    var report = LayerReport(layer: layer.index)
    guard let experts = target.layers[layer.index].feedForward.experts,
      case .dense(let part) = own.runner.weights.feedForward
    else {
      try layer.advance(student) { try own.run($0, $1) }
      return report
    }
    let middle = try layer.scratch("middle", columns: target.hiddenSize)
    var massive = MassiveTokens(segments)
    try segments.advance(layer.entering(student), to: middle) {
      try own.attend($0, $1)
      massive.add($0, $1)
    }
    try layer.progress(0.3)
    let inputs = CarvingInputs(
      runner: own.runner, middle: middle, massive: massive, segments: segments)
    var generator = SplitMix64(seed: settings.seed, label: "neurons of layer \(layer.index)")
    let statistics = try inputs.statistics(of: part, generator: &generator)
    let carved = CarvedNeurons(statistics, experts, generator: &generator)
    try layer.progress(0.5)
    let type = try settings.dtype.applied(
      to: dense.weights.view(TensorAddress(.ffnGate, layer: layer.index)).type)
    let weight = try inputs.router(to: carved, of: part).rounded(to: type).view
    _ = try layer.keep(LayerTensors([TensorAddress(.router, layer: layer.index): weight]))
    try layer.progress(0.8)
    report.neurons = carved.order
    try feedForward(layer, part, carved, LinearMap(weight: weight, bias: nil), inputs, &report)
    return report
  }

  /// Takes the stream through the carved feed-forward part and measures what it lacks.
  private func feedForward(
    _ layer: SweptLayer, _ part: SwiGLUWeights, _ carved: CarvedNeurons, _ router: LinearMap,
    _ inputs: CarvingInputs, _ report: inout LayerReport
  ) throws {
    let experts = carved.experts
    var loads = [Int](repeating: 0, count: experts.routed)
    var lost = 0.0, lostByFixed = 0.0, power = 0.0
    try segments.advance(inputs.middle, to: layer.leaving(student)) {
      hidden, segment in
      let first = segments.range(of: segment).lowerBound
      let input = inputs.runner.ffnInput(hidden)
      let neurons = try part.neurons(input)
      let routing = Routing(
        scores: try router(input), chosen: experts.chosen, weighting: experts.weighting,
        offsets: segments[segment].enumerated().map { $0 + $1 })
      for (expert, count) in routing.load(of: experts.routed).enumerated() {
        loads[expert] += count
      }
      let kept = neurons.copy
      carved.silence(kept, outside: routing)
      let output = try part.down(kept)
      hidden.add(inputs.runner.finished(feedForward: output.copy))
      guard segments.heldOut.contains(segment) else { return }
      let whole = try part.down(neurons)
      carved.silenceWeak(neurons)
      let errors = RowDistances(output, from: whole)
      let fixedErrors = RowDistances(try part.down(neurons), from: whole)
      for row in 0..<whole.rows where !inputs.massive.indices.contains(first + row) {
        lost += Double(errors.squaredDistances[row])
        lostByFixed += Double(fixedErrors.squaredDistances[row])
        power += Double(errors.squaredNorms[row])
      }
    }
    guard lost.isFinite else { throw HealingError.diverged(layer: layer.index) }
    report.tokens = loads
    if power > 0 { (report.error, report.fixedError) = (lost / power, lostByFixed / power) }
  }
}
