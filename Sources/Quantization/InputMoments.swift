import Architectures
import Kernels
import Runtime
import TensorTypes

/// Second moments of what a projection reads: what an error of its weights costs.
final class InputMoments {
  /// Channels of the input.
  let size: Int
  /// Tokens seen.
  private(set) var rows = 0
  /// Σ x xᵀ; nil when only its diagonal is kept.
  private let gram: Gram?
  private var squares: [Double]

  /// No tokens yet; with `full`, size² numbers in float64 are kept instead of size.
  init(size: Int, full: Bool) {
    self.size = size
    gram = full ? Gram(features: size, targets: 0) : nil
    squares = [Double](repeating: 0, count: full ? 0 : size)
  }

  /// Adds tokens [rows, size].
  func add(_ input: FloatMatrix) {
    precondition(input.columns == size)
    rows += input.rows
    if let gram { return gram.add(input) }
    for row in 0..<input.rows {
      for (i, x) in input[row].enumerated() { squares[i] += Double(x).squared }
    }
  }

  /// Adds the tokens of `other`.
  func add(_ other: InputMoments) {
    rows += other.rows
    if let gram, let more = other.gram { gram.add(more) }
    for i in squares.indices { squares[i] += other.squares[i] }
  }

  /// The mean square of each channel.
  var meanSquares: [Float] {
    (0..<size).map { Float((gram?.element($0, $0) ?? squares[$0]) / Double(max(rows, 1))) }
  }

  /// The feedback of rounding errors.
  ///
  /// - Precondition: full moments are kept.
  func feedback(damping: Double) throws(LeastSquaresError) -> RoundingFeedback {
    guard let gram else { preconditionFailure("feedback needs full moments") }
    return try RoundingFeedback(gram, damping: damping)
  }

  /// Sum over tokens of the squared outputs of weights [rows, size]; with the diagonal alone, as if
  /// channels were independent.
  func power(of weights: FloatMatrix) -> Double {
    if let gram { return gram.power(of: weights) }
    return (0..<weights.rows).reduce(0.0) { sum, row in
      zip(squares, weights[row]).reduce(sum) { $0 + $1.0 * Double($1.1).squared }
    }
  }
}

extension Double {
  fileprivate var squared: Double { self * self }
}

/// Collects the moments of what a layer's projections read, spiked as the model says.
///
/// Not synchronised: a layer shows one input after the other.
final class MomentsObserver: SpikingObserver, @unchecked Sendable {
  private(set) var moments: [SpikingSite: InputMoments] = [:]
  private let model: ModelDescription
  private let full: Bool

  init(_ model: ModelDescription, full: Bool) {
    self.model = model
    self.full = full
  }

  func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?) {
    guard site.projection.quantizedRole != nil, origin(of: site) == site, input.rows > 0 else {
      return
    }
    if moments[site] == nil { moments[site] = InputMoments(size: input.columns, full: full) }
    let winners = model.spiking?.winners(before: site.projection, of: input.columns)
    moments[site]?.add(
      model.spiking?[site].map { input.spiked(k: Float($0), winners: winners) } ?? input)
  }

  /// The first of the projections that read the same numbers as the one at `site`.
  func origin(of site: SpikingSite) -> SpikingSite {
    var first = site
    switch site.projection {
    case .key, .value: first.projection = .query
    case .ffnUp: first.projection = .ffnGate
    default: return site
    }
    return model.spiking?[first] == model.spiking?[site] ? first : site
  }

  /// The moments at `site`. An expert that was sent no token has those of all routed experts of its
  /// layer together.
  func moments(at site: SpikingSite) -> (moments: InputMoments?, isIdle: Bool) {
    let site = origin(of: site)
    if let found = moments[site] { return (found, false) }
    guard case .routed = site.expert else { return (nil, true) }
    let others = moments.filter { other, _ in
      if case .routed = other.expert { return other.projection == site.projection }
      return false
    }.values
    guard let size = others.first?.size else { return (nil, true) }
    let sum = InputMoments(size: size, full: full)
    for other in others { sum.add(other) }
    return (sum, true)
  }
}

extension SpikingSettings.Projection {
  /// The role of the projection's weight when INT8 models keep it in INT8; nil otherwise.
  var quantizedRole: TensorAddress.Role? {
    switch self {
    case .query: .query
    case .key: .key
    case .value: .value
    case .output: .output
    case .ffnGate: .ffnGate
    case .ffnUp: .ffnUp
    case .ffnDown: .ffnDown
    default: nil
    }
  }
}
