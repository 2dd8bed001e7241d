import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

extension ExpertCarver {
  /// Takes the stream through one layer, carving its feed-forward part if it is to be carved.
  func pass(
    _ layer: Int, progress: (Double) throws -> Void
  ) throws -> (HealedTensors?, LayerReport) {
    let weights = try LayerWeights(layer, of: dense.description, from: dense.weights)
    defer { weights.discard() }
    let pass = LayerPass(layer, of: dense.description, weights: weights, segments: segments)
    let middle = try workspace.stream(.middle, entering: layer)
    let massive = try pass.attend(workspace.stream(.student, entering: layer), to: middle)
    try progress(0.3)
    guard let experts = target.layers[layer].feedForward.experts,
      case .dense(let part) = weights.feedForward
    else {
      try advance(layer, middle) { hidden, _ in try pass.runner.feedForward(hidden) }
      return (nil, LayerReport(layer: layer))
    }
    let inputs = CarvingInputs(
      runner: pass.runner, middle: middle, massive: massive, segments: segments)
    var generator = SplitMix64(seed: settings.seed, label: "neurons of layer \(layer)")
    let statistics = try inputs.statistics(of: part, generator: &generator)
    let carved = CarvedNeurons(statistics, experts, generator: &generator)
    try progress(0.5)
    let type = try settings.dtype.applied(
      to: dense.weights.view(TensorAddress(.ffnGate, layer: layer)).type)
    var router = HealedTensors()
    router.set(
      TensorAddress(.router, layer: layer),
      to: try inputs.router(to: carved, of: part).rounded(to: type).view)
    let kept = try workspace.keep(router, ofLayer: layer)
    try progress(0.8)
    var report = LayerReport(layer: layer)
    report.neurons = carved.order
    try feedForward(layer, part, carved, kept, inputs, &report)
    return (kept, report)
  }

  /// Takes the stream from `middle` to what enters the next layer, a segment at a time.
  private func advance(
    _ layer: Int, _ middle: HiddenStream, _ apply: (FloatMatrix, _ segment: Int) throws -> Void
  ) throws {
    let next = try workspace.stream(.student, entering: layer + 1)
    for segment in 0..<segments.count {
      let first = segments.firstToken(of: segment)
      let hidden = try middle.read(first, count: segments.length)
      try apply(hidden, segment)
      try next.write(hidden, at: first)
    }
  }

  /// Takes the stream through the carved feed-forward part and measures what it lacks.
  private func feedForward(
    _ layer: Int, _ part: SwiGLUWeights, _ carved: CarvedNeurons, _ router: HealedTensors,
    _ inputs: CarvingInputs, _ report: inout LayerReport
  ) throws {
    guard let weight = router.views[TensorAddress(.router, layer: layer)] else { return }
    let map = LinearMap(weight: weight, bias: nil), experts = carved.experts
    var loads = [Int](repeating: 0, count: experts.routed)
    var lost = 0.0, lostByFixed = 0.0, power = 0.0
    try advance(layer, inputs.middle) { hidden, segment in
      let first = segments.firstToken(of: segment)
      let input = inputs.runner.ffnInput(hidden)
      let neurons = try part.neurons(input)
      let routing = Routing(
        scores: try map(input), chosen: experts.chosen, weighting: experts.weighting,
        offsets: (0..<segments.length).map { $0 + tokens[first + $0] })
      for (expert, count) in routing.load(of: experts.routed).enumerated() {
        loads[expert] += count
      }
      let kept = neurons.copy
      carved.silence(kept, outside: routing)
      let output = try part.down(kept)
      hidden.add(output)
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
    guard lost.isFinite else { throw HealingError.diverged(layer: layer) }
    report.tokens = loads
    if power > 0 { (report.error, report.fixedError) = (lost / power, lostByFixed / power) }
  }
}
