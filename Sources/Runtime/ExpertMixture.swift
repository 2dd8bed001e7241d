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
  ) throws -> FloatMatrix {
    let routing = Routing(
      scores: try weights.router(input), chosen: weights.layout.chosen,
      weighting: weights.layout.weighting, offsets: offsets)
    observe?(routing)
    let output: FloatMatrix
    if let shared = weights.shared {
      output = try shared(input)
    } else {
      output = FloatMatrix(rows: input.rows, columns: input.columns)
      output.elements.update(repeating: 0)
    }
    for (expert, places) in routing.places(of: weights.layout.routed).enumerated()
    where !places.isEmpty {
      let rows = places.map { $0 / routing.chosen }
      output.add(
        try weights.routed[expert](input.gathered(rows)), toRows: rows,
        times: places.map { routing.weights[$0] })
    }
    return output
  }
}
