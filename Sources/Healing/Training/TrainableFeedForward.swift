import Architectures
import Kernels
import Mixers
import Runtime
import TensorTypes

/// The feed-forward part of a layer between its norms, with the gradient of its input. The down
/// projections of experts can be trained; everything else stays as it is.
struct TrainableFeedForward {
  private let part: Part

  private enum Part {
    case dense(TrainableSwiGLU)
    case experts(TrainableExperts)
  }

  init(_ weights: LayerWeights, trainsExperts: Bool) {
    part =
      switch weights.feedForward {
      case .dense(let dense): .dense(TrainableSwiGLU(weights: dense, down: nil))
      case .experts(let experts): .experts(TrainableExperts(experts, isTrained: trainsExperts))
      }
  }

  /// Everything that is trained.
  var parameters: [Parameter] {
    switch part {
    case .dense: []
    case .experts(let experts): experts.parameters
    }
  }

  /// mlp(x) [T, H] for inputs x [T, H].
  ///
  /// - Parameter offsets: token id + position of each token, see `Routing`.
  func callAsFunction(_ input: FloatMatrix, offsets: [Int]) -> Traced {
    switch part {
    case .dense(let dense): dense(input)
    case .experts(let experts): experts(input, offsets: offsets)
    }
  }
}

/// down(activation(gate x) · up x) of a dense feed-forward part or one expert.
private struct TrainableSwiGLU {
  let weights: SwiGLUWeights
  /// The down projection [H, F] when it is trained.
  let down: Parameter?

  func callAsFunction(_ input: FloatMatrix) -> Traced {
    let gate = weights.gate.unchecked(input), up = weights.up.unchecked(input)
    let neurons = gate.copy
    neurons.gate(up, by: weights.activation)
    return Traced(value: project(neurons)) { gradient, inputGradient in
      down?.addGradient(outputs: gradient, inputs: neurons)
      guard let inputGradient else { return }
      let inner = FloatMatrix.product(gradient, down?.value ?? weights.down.matrix)
      let gateGradient = inner.unset
      gate.gateBackward(
        up, by: weights.activation, gradient: inner, into: gateGradient, up: inner)
      inputGradient.addProduct(gateGradient, weights.gate.matrix)
      inputGradient.addProduct(inner, weights.up.matrix)
    }
  }

  private func project(_ neurons: FloatMatrix) -> FloatMatrix {
    guard let down else { return weights.down.unchecked(neurons) }
    let output = FloatMatrix.product(neurons, transposed: down.value)
    if let bias = weights.down.bias { output.addToRows(bias) }
    return output
  }
}

/// A mixture of experts whose down projections can be trained; gradients pass through the router,
/// which stays as it is.
private struct TrainableExperts {
  private let layout: FeedForward.Experts
  private let router: LinearMap
  private let routed: [TrainableSwiGLU]
  private let shared: TrainableSwiGLU?

  init(_ weights: ExpertWeights, isTrained: Bool) {
    func trainable(
      _ expert: TensorAddress.Expert, _ weights: SwiGLUWeights
    ) -> TrainableSwiGLU {
      TrainableSwiGLU(
        weights: weights,
        down: isTrained ? Parameter(.ffnDown, weights.down, expert: expert) : nil)
    }
    layout = weights.layout
    router = weights.router
    routed = weights.routed.enumerated().map { trainable(.routed($0), $1) }
    shared = weights.shared.map { trainable(.shared, $0) }
  }

  var parameters: [Parameter] { ((shared.map { [$0] } ?? []) + routed).compactMap(\.down) }

  func callAsFunction(_ input: FloatMatrix, offsets: [Int]) -> Traced {
    // Scores in float32, so that tokens go where the runtime sends them.
    let scores = Execution.with(precision: .float32) { router.unchecked(input) }
    let routing = Routing(
      scores: scores, chosen: layout.chosen, weighting: layout.weighting, offsets: offsets)
    let common = shared?(input)
    let output = common?.value.copy ?? input.zeros
    let used = routing.places(of: layout.routed).enumerated().filter { !$1.isEmpty }
    let calls = used.map { expert, places in
      let rows = places.map { $0 / routing.chosen }, weights = places.map { routing.weights[$0] }
      let made = routed[expert](input.gathered(rows))
      output.add(made.value, toRows: rows, times: weights)
      return Call(places: places, rows: rows, weights: weights, made: made)
    }
    return Traced(value: output) { [router, layout] gradient, inputGradient in
      common?.pullback(gradient, inputGradient)
      var weightGradients = [Float](repeating: 0, count: routing.weights.count)
      for call in calls {
        let arriving = gradient.gathered(call.rows)
        for (row, place) in call.places.enumerated() {
          weightGradients[place] = zip(arriving[row], call.made.value[row]).reduce(0) {
            $0 + $1.0 * $1.1
          }
        }
        arriving.scaleRows(by: call.weights)
        let below = inputGradient.map { _ in arriving.zeros }
        call.made.pullback(arriving, below)
        if let below {
          inputGradient?.add(below, toRows: call.rows)
        }
      }
      guard let inputGradient, layout.weighting != .one else { return }
      let scoreGradient = routing.scoreGradient(
        of: scores, weightGradients, isNormalized: layout.weighting == .normalized)
      inputGradient.addProduct(scoreGradient, router.matrix)
    }
  }

  /// What one expert made of its tokens.
  private struct Call {
    /// Places in the routing, the rows of their tokens, and what the expert's outputs are
    /// multiplied by.
    let places: [Int]
    let rows: [Int]
    let weights: [Float]
    let made: Traced
  }
}

extension Routing {
  /// The gradient of the scores [T, N] from that of the weights of the chosen experts [T · k], which
  /// are their probabilities among all experts, or among the chosen ones.
  fileprivate func scoreGradient(
    of scores: FloatMatrix, _ weightGradients: [Float], isNormalized: Bool
  ) -> FloatMatrix {
    let gradient = scores.copy
    guard !isNormalized else {
      gradient.elements.update(repeating: 0)
      for row in 0..<gradient.rows {
        let places = row * chosen..<(row + 1) * chosen
        let mean = places.reduce(Float(0)) { $0 + weights[$1] * weightGradients[$1] }
        for place in places {
          gradient[row][experts[place]] = weights[place] * (weightGradients[place] - mean)
        }
      }
      return gradient
    }
    gradient.becomeSoftmax()
    for row in 0..<gradient.rows {
      let places = row * chosen..<(row + 1) * chosen
      let mean = places.reduce(Float(0)) { $0 + probabilities[$1] * weightGradients[$1] }
      for expert in gradient[row].indices { gradient[row][expert] *= -mean }
      for place in places {
        gradient[row][experts[place]] += probabilities[place] * weightGradients[place]
      }
    }
    return gradient
  }
}
