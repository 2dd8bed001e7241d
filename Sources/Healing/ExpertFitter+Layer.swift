import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

extension ExpertFitter {
  /// Candidates for the ridge of a refit: experts see few tokens for their width.
  private static let ridges = [1e-2, 1e-1, 1, 10, 100]
  /// Fewest held-out tokens that can tell whether a refit is better.
  private static let fewestHeldOut = 32

  /// Takes the streams through one layer, making its router and refitting its experts.
  func pass(
    _ layer: Int, progress: (Double) throws -> Void
  ) throws -> (HealedTensors?, LayerReport) {
    let model = upcycled.description
    var report = LayerReport(layer: layer)
    var massive = try passTeacher(layer)
    var weights = try LayerWeights(layer, of: model, from: upcycled.weights)
    let middle = try attend(layer, weights, massive: &massive)
    try progress(0.3)
    var tensors: HealedTensors?
    if let experts = model.layers[layer].feedForward.experts {
      let runner = LayerRunner(weights: weights, model: model)
      let sample = segments.sample(columns: model.hiddenSize, leavingOut: massive)
      let inputs = runner.ffnInput(try middle.rows(sample))
      // The router sends a token to the expert of the nearest direction.
      var generator = SplitMix64(seed: settings.seed, label: "clusters of layer \(layer)")
      let clusters = Execution.with(precision: .float32) {
        SphericalClusters(of: inputs, count: experts.routed, generator: &generator)
      }
      let address = TensorAddress(.router, layer: layer)
      let type = try upcycled.weights.view(address).type
      var fitted = HealedTensors()
      fitted.set(address, to: clusters.directions.rounded(to: type).view)
      weights = try LayerWeights(
        layer, of: model, from: Overlay(tensors: fitted, below: upcycled.weights))
      let regions = try route(middle, weights)
      report.tokens = regions.sizes(experts.routed)
      if teacher != nil {
        try refit(layer, weights, middle, regions, massive, into: &fitted, &report) {
          try progress(0.3 + 0.6 * $0)
        }
      }
      let kept = try workspace.keep(fitted, ofLayer: layer)
      weights = try LayerWeights(
        layer, of: model, from: Overlay(tensors: kept, below: upcycled.weights))
      tensors = kept
    }
    try feedForward(layer, weights, from: middle, massive, &report)
    return (tensors, report)
  }

  /// Takes the teacher's stream, and the dense model's on held-out segments, through the layer.
  private func passTeacher(_ layer: Int) throws -> MassiveTokens {
    guard let teacher else { return MassiveTokens(segments) }
    let copies = LayerPass(
      layer, of: dense.description,
      weights: try LayerWeights(layer, of: dense.description, from: dense.weights),
      segments: segments)
    try copies.advance(
      segments.heldOut, of: workspace.stream(.copy, entering: layer),
      to: workspace.stream(.copy, entering: layer + 1))
    copies.discardWeights()
    let aims = LayerPass(
      layer, of: teacher.description,
      weights: try LayerWeights(layer, of: teacher.description, from: teacher.weights),
      segments: segments)
    defer { aims.discardWeights() }
    return try aims.advance(
      workspace.stream(.teacher, entering: layer),
      to: workspace.stream(.teacher, entering: layer + 1))
  }

  /// Takes the stream through the layer's attention.
  private func attend(
    _ layer: Int, _ weights: LayerWeights, massive: inout MassiveTokens
  ) throws -> HiddenStream {
    let middle = try workspace.stream(.middle, entering: layer)
    let own = try LayerPass(
      layer, of: upcycled.description, weights: weights, segments: segments
    ).attend(workspace.stream(.student, entering: layer), to: middle)
    if teacher == nil { massive = own }
    return middle
  }

  /// Where the runtime will send the tokens: scores in float32, ties as there.
  private func route(_ middle: HiddenStream, _ weights: LayerWeights) throws -> Regions {
    let runner = LayerRunner(weights: weights, model: upcycled.description)
    var regions = Regions()
    guard case .experts(let experts) = weights.feedForward else { return regions }
    for segment in 0..<segments.count {
      let first = segments.firstToken(of: segment)
      let input = runner.ffnInput(try middle.read(first, count: segments.length))
      let scores = try Execution.with(precision: .float32) {
        try experts.router(input)
      }
      regions.add(
        Routing(
          scores: scores, chosen: experts.layout.chosen,
          offsets: (0..<segments.length).map { $0 + tokens[first + $0] }))
    }
    return regions
  }

  /// Refits the down projection of every expert on its tokens.
  private func refit(
    _ layer: Int, _ weights: LayerWeights, _ middle: HiddenStream, _ regions: Regions,
    _ massive: MassiveTokens, into fitted: inout HealedTensors, _ report: inout LayerReport,
    progress: (Double) throws -> Void
  ) throws {
    guard case .experts(let experts) = weights.feedForward else { return }
    let data = ExpertData(
      weights: experts, runner: LayerRunner(weights: weights, model: upcycled.description),
      middle: middle, goal: try workspace.stream(.teacher, entering: layer + 1),
      massive: massive, sinkWeight: Float(HealSettings().sinkWeight))
    var before = 0.0, after = 0.0, scale = 0.0
    for expert in experts.routed.indices {
      let training = regions.tokens(of: expert, among: segments.tokens(of: segments.training))
      let heldOut = regions.tokens(of: expert, among: segments.tokens(of: segments.heldOut))
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
          TensorAddress(.ffnDown, layer: layer, expert: .routed(expert)), to: fit.weight.view)
      }
      try progress(Double(expert + 1) / Double(experts.routed.count))
    }
    guard after.isFinite else { throw HealingError.diverged(layer: layer) }
    if scale > 0 { (report.before, report.after) = (before / scale, after / scale) }
  }

  /// Takes the stream through the feed-forward part and measures how far it is from the teacher's.
  private func feedForward(
    _ layer: Int, _ weights: LayerWeights, from middle: HiddenStream, _ massive: MassiveTokens,
    _ report: inout LayerReport
  ) throws {
    let runner = LayerRunner(weights: weights, model: upcycled.description)
    let next = try workspace.stream(.student, entering: layer + 1)
    let source = try teacher.map { _ in try workspace.stream(.teacher, entering: layer + 1) }
    var drift = Drift()
    for segment in 0..<segments.count {
      let first = segments.firstToken(of: segment)
      let hidden = try middle.read(first, count: segments.length)
      var passage = Passage(position: 0)
      passage.tokens = Array(tokens[first..<first + segments.length])
      try runner.feedForward(hidden, passage: passage)
      try next.write(hidden, at: first)
      if let source {
        drift.add(
          hidden, source: try source.read(first, count: segments.length), first: first,
          massive: massive)
      }
    }
    weights.discard()
    if source != nil { (report.drift, report.sink) = (drift.median, drift.sink) }
  }
}
