import Architectures
import Kernels
import Mixers
import Runtime
import StepSettings
import TensorTypes

/// The feed-forward part of a layer between its norms, with the gradient of its input. What `scope`
/// names of it can be trained; everything else stays as it is.
struct TrainableFeedForward {
  private let part: Part

  private enum Part {
    case dense(TrainableSwiGLU)
    case experts(TrainableExperts)
  }

  init(_ weights: LayerWeights, scope: DistillScope) {
    part =
      switch weights.feedForward {
      case .dense(let dense): .dense(TrainableSwiGLU(dense, trained: scope == .all ? .all : []))
      case .experts(let experts): .experts(TrainableExperts(experts, scope: scope))
      }
  }

  /// Everything that is trained.
  var parameters: [Parameter] {
    switch part {
    case .dense(let dense): dense.parameters
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
  private let activation: Activation
  private let gate, up, down: Projection

  /// Which of its projections are trained.
  struct Trained: OptionSet {
    let rawValue: Int
    static let inner = Trained(rawValue: 1)
    static let down = Trained(rawValue: 2)
    static let all: Trained = [.inner, .down]
  }

  /// One of them, as it is or trained.
  private struct Projection {
    let map: LinearMap
    let parameter: Parameter?

    /// W [out, in] as it is now.
    var matrix: FloatMatrix { parameter?.value ?? map.matrix }

    func callAsFunction(_ input: FloatMatrix) -> FloatMatrix {
      guard let parameter else { return map.unchecked(input) }
      let output = FloatMatrix.product(input, transposed: parameter.value)
      if let bias = map.bias { output.addToRows(bias) }
      return output
    }
  }

  /// How much slower than attention dense parts and experts learn along with it: they are whole, and
  /// attention is not.
  private static let rate = 0.2

  init(
    _ weights: SwiGLUWeights, expert: TensorAddress.Expert? = nil, trained: Trained,
    rate: Double = Self.rate
  ) {
    func projection(
      _ role: TensorAddress.Role, _ map: LinearMap, _ kind: Trained
    ) -> Projection {
      Projection(
        map: map,
        parameter: trained.contains(kind)
          ? Parameter(role, map, expert: expert, rate: rate) : nil)
    }
    activation = weights.activation
    gate = projection(.ffnGate, weights.gate, .inner)
    up = projection(.ffnUp, weights.up, .inner)
    down = projection(.ffnDown, weights.down, .down)
  }

  var parameters: [Parameter] { [gate, up, down].compactMap(\.parameter) }

  func callAsFunction(_ input: FloatMatrix) -> Traced {
    let gated = gate(input), raised = up(input)
    let neurons = gated.copy
    neurons.gate(raised, by: activation)
    return Traced(value: down(neurons)) { gradient, inputGradient in
      down.parameter?.addGradient(outputs: gradient, inputs: neurons)
      guard inputGradient != nil || gate.parameter != nil else { return }
      let inner = FloatMatrix.product(gradient, down.matrix)
      let gateGradient = inner.unset
      gated.gateBackward(raised, by: activation, gradient: inner, into: gateGradient, up: inner)
      gate.parameter?.addGradient(outputs: gateGradient, inputs: input)
      up.parameter?.addGradient(outputs: inner, inputs: input)
      inputGradient?.addProduct(gateGradient, gate.matrix)
      inputGradient?.addProduct(inner, up.matrix)
    }
  }
}

/// A mixture of experts whose projections can be trained; gradients pass through the router, which
/// stays as it is.
private struct TrainableExperts {
  private let layout: FeedForward.Experts
  private let router: LinearMap
  private let routed: [TrainableSwiGLU]
  private let shared: TrainableSwiGLU?

  init(_ weights: ExpertWeights, scope: DistillScope) {
    func trainable(
      _ expert: TensorAddress.Expert, _ weights: SwiGLUWeights
    ) -> TrainableSwiGLU {
      switch scope {
      case .linear, .attention: TrainableSwiGLU(weights, expert: expert, trained: [])
      case .experts: TrainableSwiGLU(weights, expert: expert, trained: .down, rate: 1)
      case .all: TrainableSwiGLU(weights, expert: expert, trained: .all)
      }
    }
    layout = weights.layout
    router = weights.router
    routed = weights.routed.enumerated().map { trainable(.routed($0), $1) }
    shared = weights.shared.map { trainable(.shared, $0) }
  }

  var parameters: [Parameter] { ((shared.map { [$0] } ?? []) + routed).flatMap(\.parameters) }

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
