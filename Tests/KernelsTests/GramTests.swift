import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct GramTests {
    /// Sums of strided, weighted blocks against float64 sums.
    @Test(arguments: [(5, 3), (70, 33), (300, 290)], [true, false])
    func sums(sizes: (features: Int, targets: Int), weighted: Bool) {
      let (features, targets) = sizes
      var random = Random(22)
      var first: Gram?
      forEachThreadCount([1, 3]) { count in
        random = Random(23)
        let gram = Gram(features: features, targets: targets)
        var matrix = [Double](repeating: 0, count: features * features)
        var cross = [Double](repeating: 0, count: targets * features), squares = 0.0
        for rows in [1, 17, 1100] {
          let phi = random.normals(rows * (features + 1)), y = random.normals(rows * (targets + 2))
          let weights = random.normals(rows).map { abs($0) }
          weights.withUnsafeBufferPointer {
            gram.add(
              phi, stride: features + 1, targets: y, targetStride: targets + 2,
              weights: weighted ? $0.baseAddress : nil, rows: rows)
          }
          for r in 0..<rows {
            let weight = weighted ? Double(weights[r]) : 1
            for i in 0..<features {
              let left = weight * Double(phi[r * (features + 1) + i])
              for j in i..<features {
                matrix[i * features + j] += left * Double(phi[r * (features + 1) + j])
              }
              for t in 0..<targets {
                cross[t * features + i] += left * Double(y[r * (targets + 2) + t])
              }
            }
            for t in 0..<targets { squares += weight * pow(Double(y[r * (targets + 2) + t]), 2) }
          }
        }
        #expect(gram.rows == 1118)
        let scale = gram.element(0, 0)
        for i in 0..<features {
          for j in i..<features {
            #expect(abs(gram.element(j, i) - matrix[i * features + j]) < 1e-6 * scale)
          }
        }
        #expect(zip(gram.cross, cross).allSatisfy { abs($0 - $1) < 1e-6 * scale })
        #expect(abs(gram.targetSquares - squares) < 1e-12 * squares)
        if let first {
          #expect(first.cross == gram.cross && first.targetSquares == gram.targetSquares)
          #expect(first.matrix == gram.matrix)
          first.add(gram)
          #expect(first.element(0, 1) == 2 * gram.element(0, 1) && first.rows == 2236)
        }
        first = gram
      }
    }

    private func problem(features: Int, targets: Int, rows: Int) -> (Gram, prior: [Float]) {
      var random = Random(24)
      let gram = Gram(features: features, targets: targets)
      let phi = random.normals(rows * features), y = random.normals(rows * targets)
      gram.add(phi, targets: y, rows: rows)
      return (gram, random.normals(targets * features))
    }

    /// The residual of the equations that `solve` states.
    @Test(arguments: [1e-3, 0.1, 1, 100])
    func residual(ridge: Double) throws {
      let features = 130, targets = 70
      let (gram, prior) = problem(features: features, targets: targets, rows: 400)
      for prior in [prior, nil] {
        var weights = poisoned(targets * features)
        if let prior {
          try gram.solve(ridge: ridge, prior: prior, into: &weights)
        } else {
          try gram.solve(ridge: ridge, into: &weights)
        }
        var worst = 0.0, scale = 0.0
        for t in 0..<targets {
          for i in 0..<features {
            let pull = ridge * gram.element(i, i)
            let old = prior.map { Double($0[t * features + i]) } ?? 0
            let right = gram.cross[t * features + i] + pull * old
            var left = pull * Double(weights[t * features + i])
            for j in 0..<features { left += gram.element(i, j) * Double(weights[t * features + j]) }
            worst = max(worst, abs(left - right))
            scale = max(scale, abs(right))
          }
        }
        // The weights are rounded to float32.
        #expect(worst < 5e-7 * scale)
      }
    }

    /// A large ridge gives the prior, none the least squares, whose error nothing beats.
    @Test func betweenPriorAndLeastSquares() throws {
      let (gram, prior) = problem(features: 40, targets: 9, rows: 300)
      var weights = poisoned(9 * 40)
      try gram.solve(ridge: 1e9, prior: prior, into: &weights)
      #expect(relativeError(weights, prior) < 1e-6)
      try gram.solve(ridge: 0, prior: prior, into: &weights)
      let least = gram.squaredError(of: weights)
      #expect(least > 0 && least < gram.squaredError(of: prior))
      for i in weights.indices {
        var moved = weights
        moved[i] += 0.05
        #expect(gram.squaredError(of: moved) > least)
      }
    }

    @Test func squaredErrorIsThatOfTheRows() {
      var random = Random(25)
      let rows = 90, features = 33, targets = 20
      let phi = random.normals(rows * features), y = random.normals(rows * targets)
      let omega = random.normals(rows).map { abs($0) }, w = random.normals(targets * features)
      let gram = Gram(features: features, targets: targets)
      gram.add(phi, targets: y, weights: omega, rows: rows)
      var expected = 0.0
      for r in 0..<rows {
        for t in 0..<targets {
          var sum = -Double(y[r * targets + t])
          for i in 0..<features {
            sum += Double(w[t * features + i]) * Double(phi[r * features + i])
          }
          expected += Double(omega[r]) * sum * sum
        }
      }
      #expect(abs(gram.squaredError(of: w) - expected) < 1e-6 * expected)
    }

    /// A feature that is always 0 keeps its prior weight; fewer rows than features need a ridge.
    @Test func degenerate() throws {
      var random = Random(26)
      let features = 20, targets = 3, rows = 50
      var phi = random.normals(rows * features)
      for r in 0..<rows { phi[r * features + 7] = 0 }
      let y = random.normals(rows * targets), prior = random.normals(targets * features)
      let gram = Gram(features: features, targets: targets)
      gram.add(phi, targets: y, rows: rows)
      var weights = poisoned(targets * features)
      try gram.solve(ridge: 0.01, prior: prior, into: &weights)
      for t in 0..<targets {
        #expect(abs(weights[t * features + 7] - prior[t * features + 7]) < 1e-6)
      }

      let negative = Gram(features: features, targets: targets)
      negative.add(phi, targets: y, weights: [Float](repeating: -1, count: rows), rows: rows)
      #expect(throws: LeastSquaresError.notPositiveDefinite(order: 1)) {
        try negative.solve(ridge: 0.01, into: &weights)
      }
      let broken = Gram(features: features, targets: targets)
      phi[3] = .nan
      broken.add(phi, targets: y, rows: rows)
      #expect(throws: LeastSquaresError.self) { try broken.solve(ridge: 1, into: &weights) }
    }
  }
}
