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

extension FloatMatrix {
  /// Copies of some rows, in the order given.
  package func gathered(_ rows: [Int]) -> FloatMatrix {
    let gathered = FloatMatrix(rows: rows.count, columns: columns)
    withExtendedLifetime((self, gathered)) {
      for (place, row) in rows.enumerated() {
        gathered.row(place).update(from: self.row(row), count: columns)
      }
    }
    return gathered
  }

  /// Adds each row of `other`, times its factor, to the row of this matrix that `rows` names.
  package func add(_ other: FloatMatrix, toRows rows: [Int], times factors: [Float]) {
    withExtendedLifetime((self, other)) {
      for (place, row) in rows.enumerated() {
        Vector.addScaled(
          other.row(place), by: factors[place], count: columns, to: self.row(row))
      }
    }
  }
}
