import Architectures
import Foundations
import Kernels
import Runtime
import StepSettings
package import Streams
import TensorTypes

extension ExpertFitter: LayerPass {
  /// Candidates for the ridge of a refit: experts see few tokens for their width.
  private static let ridges = [1e-2, 1e-1, 1, 10, 100]
  /// Fewest held-out tokens that can tell whether a refit is better.
  private static let fewestHeldOut = 32

  package var tracks: [Track] { [student] + (teacher.map { [goal($0), copy] } ?? []) }

  /// Takes the streams through one layer, making its router and refitting its experts.
  package func pass(_ layer: SweptLayer) throws -> LayerReport {
    let description = upcycled.description
    var report = LayerReport(layer: layer.index)
    var massive = try passTeacher(layer)
    var own = try StreamedLayer(layer.index, of: upcycled, on: segments)
    let middle = try layer.scratch("middle", columns: description.hiddenSize)
    try segments.advance(layer.entering(student), to: middle) {
      try own.attend($0, $1)
      if teacher == nil { massive.add($0, $1) }
    }
    try layer.progress(0.3)
    if let experts = description.layers[layer.index].feedForward.experts {
      let sample = segments.sample(columns: description.hiddenSize, leavingOut: massive)
      let inputs = own.runner.ffnInput(try middle.read(sample))
      // The router sends a token to the expert of the nearest direction.
      var generator = SplitMix64(seed: settings.seed, label: "clusters of layer \(layer.index)")
      let clusters = Execution.with(precision: .float32) {
        SphericalClusters(of: inputs, count: experts.routed, generator: &generator)
      }
      let address = TensorAddress(.router, layer: layer.index)
      let type = try upcycled.weights.view(address).type
      var fitted = LayerTensors([address: clusters.directions.rounded(to: type).view])
      own = try StreamedLayer(layer.index, of: upcycled.with(fitted), on: segments)
      let places = try route(middle, own)
      report.tokens = places.reduce(into: [Int](repeating: 0, count: experts.routed)) {
        $0[$1] += 1
      }
      if let teacher, case .experts(let experts) = own.runner.weights.feedForward {
        let data = ExpertData(
          weights: experts, runner: own.runner, middle: middle,
          goal: try layer.leaving(goal(teacher)), massive: massive,
          sinkWeight: Float(HealSettings().sinkWeight))
        try refit(layer, data, places, into: &fitted, &report)
      }
      own = try StreamedLayer(layer.index, of: upcycled.with(layer.keep(fitted)), on: segments)
    }
    try feedForward(layer, own, from: middle, massive, &report)
    return report
  }

  /// Takes the teacher's stream, and the dense model's on held-out segments, through the layer.
  private func passTeacher(_ layer: SweptLayer) throws -> MassiveTokens {
    var massive = MassiveTokens(segments)
    guard let teacher else { return massive }
    let copies = try StreamedLayer(layer.index, of: dense, on: segments)
    try layer.advance(copy) { try copies.run($0, $1) }
    copies.discardWeights()
    let aims = try StreamedLayer(layer.index, of: teacher, on: segments)
    try layer.advance(goal(teacher)) {
      try aims.run($0, $1)
      massive.add($0, $1)
    }
    aims.discardWeights()
    return massive
  }

  /// The expert that the runtime will send each token to: scores in float32, ties as there.
  private func route(_ middle: HiddenStream, _ own: StreamedLayer) throws -> [Int] {
    var places: [Int] = []
    guard case .experts(let experts) = own.runner.weights.feedForward else { return places }
    try segments.advance(middle) { hidden, segment in
      let input = own.runner.ffnInput(hidden)
      let scores = try Execution.with(precision: .float32) {
        try experts.router(input)
      }
      places +=
        Routing(
          scores: scores, chosen: experts.layout.chosen,
          offsets: own.passage(segment).offsets(count: hidden.rows, sinkCount: 0)
        ).experts
    }
    return places
  }

  /// Refits the down projection of every expert on its tokens.
  private func refit(
    _ layer: SweptLayer, _ data: ExpertData, _ places: [Int], into fitted: inout LayerTensors,
    _ report: inout LayerReport
  ) throws {
    let experts = data.weights
    var before = 0.0, after = 0.0, scale = 0.0
    for expert in experts.routed.indices {
      let training = segments.tokens(of: segments.training).filter { places[$0] == expert }
      let heldOut = segments.tokens(of: segments.heldOut).filter { places[$0] == expert }
      let down = experts.routed[expert].down
      guard training.count >= down.weight.columns, heldOut.count >= Self.fewestHeldOut else {
        report.few.append(expert)
        continue
      }
      let unseen = try data.sums(expert, heldOut)
      let fit = RidgeFit(
        training: try data.sums(expert, training), heldOut: unseen, prior: down.matrix,
        ridges: Self.ridges)
      before += fit.before
      after += fit.after
      scale += unseen.targetSquares
      if fit.ridge == nil {
        report.kept.append(expert)
      } else {
        fitted.set(
          TensorAddress(.ffnDown, layer: layer.index, expert: .routed(expert)), to: fit.weight.view)
      }
      try layer.progress(0.3 + 0.6 * Double(expert + 1) / Double(experts.routed.count))
    }
    guard after.isFinite else { throw HealingError.diverged(layer: layer.index) }
    if scale > 0 { (report.before, report.after) = (before / scale, after / scale) }
  }

  /// Takes the stream through the feed-forward part and measures how far it is from the teacher's.
  private func feedForward(
    _ layer: SweptLayer, _ own: StreamedLayer, from middle: HiddenStream, _ massive: MassiveTokens,
    _ report: inout LayerReport
  ) throws {
    var drift = try teacher.map { Drift(from: try layer.leaving(goal($0)), segments, massive) }
    try segments.advance(middle, to: layer.leaving(student)) {
      try own.feedForward($0, $1)
      try drift?.add($0, $1)
    }
    own.discardWeights()
    if let found = try drift?.medians() { (report.drift, report.sink) = found }
  }
}
