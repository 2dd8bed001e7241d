import Architectures
import Kernels

/// A mixture of experts: every token passes through the shared expert and the routed ones that
/// the router chooses.
///
/// The tokens of an expert are gathered into one matrix, so that a prompt costs one matrix product
/// per expert that is used, and only experts that are used are read.
struct ExpertMixture {
  let weights: ExpertWeights

  /// The sum of the experts' outputs [T, H] for the normed inputs [T, H].
  ///
  /// - Parameter offsets: token id + position of each token, see `Routing`.
  func callAsFunction(
    _ input: FloatMatrix, offsets: [Int], observe: ((Routing) -> Void)?
  ) -> FloatMatrix {
    let routing = Routing(
      scores: weights.router(input), chosen: weights.layout.chosen,
      weighting: weights.layout.weighting, offsets: offsets)
    observe?(routing)
    let output: FloatMatrix
    if let shared = weights.shared {
      output = shared(input)
    } else {
      output = FloatMatrix(rows: input.rows, columns: input.columns)
      output.elements.update(repeating: 0)
    }
    var places = [[Int]](repeating: [], count: weights.layout.routed)
    for (place, expert) in routing.experts.enumerated() { places[expert].append(place) }
    for (expert, places) in places.enumerated() where !places.isEmpty {
      add(expert, at: places, routing, input, to: output)
    }
    return output
  }

  /// Adds what one expert makes of its tokens, weighted.
  private func add(
    _ expert: Int, at places: [Int], _ routing: Routing, _ input: FloatMatrix,
    to output: FloatMatrix
  ) {
    let gathered = FloatMatrix(rows: places.count, columns: input.columns)
    defer { withExtendedLifetime((gathered, input, output)) {} }
    for (row, place) in places.enumerated() {
      gathered.row(row).update(
        from: input.row(place / routing.chosen), count: input.columns)
    }
    let made = weights.routed[expert](gathered)
    for (row, place) in places.enumerated() {
      Vector.addScaled(
        made.row(row), by: routing.weights[place], count: output.columns,
        to: output.row(place / routing.chosen))
    }
    withExtendedLifetime(made) {}
  }
}
