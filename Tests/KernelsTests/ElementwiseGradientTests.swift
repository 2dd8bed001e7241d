import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct ElementwiseGradientTests {
    @Test(arguments: ElementwiseTests.counts, [(5, 3), (1, 1), (2100, 1)])
    func rmsNorm(count: Int, shape: (rows: Int, weightRows: Int)) {
      var random = Random(17)
      let (rows, weightRows) = shape
      let x = random.normals(rows * count), dy = random.normals(rows * count)
      let weight = random.normals(weightRows * count), old = random.normals(weightRows * count)
      var expected = poisoned(rows * count), expectedSums = old
      RMSNorm.backwardReference(
        x, outputGradient: dy, rows: rows, count: count, weight: weight, weightRows: weightRows,
        epsilon: 1e-6, inputGradient: &expected, addingWeightGradient: &expectedSums)
      forEachInstructionSet { set in
        // In place over dy, with sums; then without sums.
        var dx = dy, sums = old
        dx.withUnsafeMutableBufferPointer {
          guard let dx = $0.baseAddress else { return }
          RMSNorm.backward(
            x, outputGradient: dx, rows: rows, count: count, weight: weight,
            weightRows: weightRows, epsilon: 1e-6, inputGradient: dx, addingWeightGradient: &sums)
        }
        // For rows of one element dx is nearly 0: the difference of two equal terms.
        #expect(count == 1 || relativeError(dx, expected) < 1e-6, "\(set)")
        #expect(relativeError(sums, expectedSums) < 1e-6, "\(set)")
        var again = poisoned(rows * count)
        RMSNorm.backward(
          x, outputGradient: dy, rows: rows, count: count, weight: weight, weightRows: weightRows,
          epsilon: 1e-6, inputGradient: &again)
        #expect(again == dx)
      }
    }

    @Test(arguments: ElementwiseTests.counts + [300_001])
    func relu(count: Int) {
      var random = Random(18)
      var z = random.normals(count)
      let dy = random.normals(count)
      z[count - 1] = 0
      let expected = (0..<count).map { z[$0] > 0 ? dy[$0] : 0 }
      forEachInstructionSet { set in
        var dz = poisoned(count)
        Vector.reluBackward(z, outputGradient: dy, count: count, into: &dz)
        #expect(dz == expected, "\(set)")
      }
    }

    @Test(arguments: ElementwiseTests.counts + [200_003])
    func decayGate(count: Int) {
      var random = Random(19)
      var z = random.normals(count, deviation: 12)
      let dg = random.normals(count)
      for (i, value) in [Float(-1e4), 1e4, 80, 0, -90].enumerated() where i < count {
        z[count - 1 - i] = value
      }
      var expected = poisoned(count)
      DecayGate.backwardReference(
        logits: z, logDecayGradient: dg, count: count, normalizer: 16, into: &expected)
      forEachInstructionSet { set in
        var dz = poisoned(count)
        DecayGate.backward(
          logits: z, logDecayGradient: dg, count: count, normalizer: 16, into: &dz)
        let close = zip(dz, expected).allSatisfy {
          abs(Double($0) - Double($1)) <= 1e-6 * abs(Double($1)) + 1e-37
        }
        #expect(close, "\(set)")
      }
    }

    @Test(arguments: ElementwiseTests.counts + [200_003])
    func swiglu(count: Int) {
      var random = Random(22)
      var gate = random.normals(count, deviation: 5)
      let up = random.normals(count), dy = random.normals(count)
      for (i, value) in [Float(-1e4), 1e4, 95, 0, -95].enumerated() where i < count {
        gate[count - 1 - i] = value
      }
      var byGate = poisoned(count), byUp = byGate
      SwiGLU.backwardReference(
        gate: gate, up: up, outputGradient: dy, count: count, gateGradient: &byGate,
        upGradient: &byUp)
      let close = { (a: [Float], b: [Float]) in
        zip(a, b).allSatisfy {
          abs(Double($0) - Double($1)) <= 1e-6 * abs(Double($1)) + 3e-7
        }
      }
      forEachInstructionSet { set in
        var dgate = poisoned(count), dup = dgate
        SwiGLU.backward(
          gate: gate, up: up, outputGradient: dy, count: count, gateGradient: &dgate,
          upGradient: &dup)
        #expect(close(dgate, byGate) && close(dup, byUp), "\(set)")
        // In place: over gate and up.
        var (a, b) = (gate, up)
        a.withUnsafeMutableBufferPointer { a in
          b.withUnsafeMutableBufferPointer { b in
            guard let a = a.baseAddress, let b = b.baseAddress else { return }
            SwiGLU.backward(
              gate: a, up: b, outputGradient: dy, count: count, gateGradient: a, upGradient: b)
          }
        }
        #expect(a == dgate && b == dup, "\(set)")
      }
    }

    /// The reference against central differences of silu(gate) · up · dy.
    @Test func swigluCentralDifferences() {
      let loss = { (x: Double, up: Double) in x / (1 + exp(-x)) * up * 1.5 }
      for gate in [Float(-30), -3, -1.25, -0.5, 0, 0.5, 2, 30] {
        var byGate = Float.nan, byUp = Float.nan
        SwiGLU.backwardReference(
          gate: [gate], up: [-0.75], outputGradient: [1.5], count: 1, gateGradient: &byGate,
          upGradient: &byUp)
        let x = Double(gate)
        let slopes = (
          (loss(x + 1e-5, -0.75) - loss(x - 1e-5, -0.75)) / 2e-5,
          (loss(x, -0.75 + 1e-5) - loss(x, -0.75 - 1e-5)) / 2e-5
        )
        #expect(abs(slopes.0 - Double(byGate)) < 1e-6 * (1 + abs(slopes.0)), "\(gate)")
        #expect(abs(slopes.1 - Double(byUp)) < 1e-6 * (1 + abs(slopes.1)), "\(gate)")
      }
    }

    /// Rotating back undoes a rotation, and is its transpose: y · R x = x · R⁻¹ y.
    @Test(arguments: [2, 16, 64, 80, 128])
    func rotation(dimension: Int) {
      var random = Random(23)
      let count = 7 * 3 * dimension
      let x = random.normals(count), y = random.normals(count)
      let table = RotaryEmbedding(dimension: dimension, theta: 1e5).table(first: 30, count: 9)
      let product = { (a: [Float], b: [Float]) in
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      forEachInstructionSet { set in
        var rotated = x, back = y
        table.apply(to: &rotated, tokens: 7, heads: 3, offset: 2)
        table.backward(&back, tokens: 7, heads: 3, offset: 2)
        var expected = y
        table.reference(to: &expected, tokens: 7, heads: 3, offset: 2, inverse: true)
        #expect(relativeError(back, expected) < 2e-7, "\(set)")
        #expect(abs(product(y, rotated) - product(x, back)) < 1e-5, "\(set)")
        table.backward(&rotated, tokens: 7, heads: 3, offset: 2)
        #expect(relativeError(rotated, x) < 3e-7, "\(set)")
      }
    }

    @Test func columnSums() {
      var random = Random(20)
      for (rows, columns) in [(1, 1), (7, 33), (5000, 70), (0, 5)] {
        let x = random.normals(rows * (columns + 2)), old = random.normals(columns)
        let expected = (0..<columns).map { c in
          Float((0..<rows).reduce(Double(old[c])) { $0 + Double(x[$1 * (columns + 2) + c]) })
        }
        forEachInstructionSet { set in
          var sums = old
          Vector.addColumnSums(x, rows: rows, columns: columns, stride: columns + 2, to: &sums)
          #expect(sums == expected, "\(set) \(rows)")
        }
      }
    }

    @Test(arguments: ElementwiseTests.counts + [0, 600_000])
    func sumOfSquares(count: Int) {
      var random = Random(21)
      let x = random.normals(count)
      let expected = x.reduce(0) { $0 + Double($1) * Double($1) }
      forEachInstructionSet { set in
        #expect(abs(Vector.sumOfSquares(x, count: count) - expected) <= 1e-12 * expected, "\(set)")
      }
    }

    @Test func clipping() {
      #expect(Adam.clipFactor(sumOfSquares: 4, limit: 3) == 1)
      #expect(Adam.clipFactor(sumOfSquares: 16, limit: 1) == 0.25)
      #expect(Adam.clipFactor(sumOfSquares: 0, limit: 1) == 1)
      #expect(Adam.clipFactor(sumOfSquares: .infinity, limit: 1).isNaN)
    }

    /// Adam finds the minimum of a quadratic, and without a gradient decays to the prior.
    @Test func adamConverges() {
      let target = [Float](repeating: 3, count: 100_000)
      var weights = [Float](repeating: -1, count: target.count)
      let adam = Adam(count: target.count)
      for _ in 0..<300 {
        let gradient = zip(weights, target).map { 2 * ($0 - $1) }
        adam.step(&weights, gradient: gradient, settings: .init(learningRate: 0.1))
      }
      #expect(weights.allSatisfy { abs($0 - 3) < 0.01 })
      let still = [Float](repeating: 0, count: target.count)
      let decaying = Adam(count: target.count)
      for _ in 0..<100 {
        decaying.step(
          &weights, gradient: still, settings: .init(learningRate: 0.1, weightDecay: 1),
          prior: [Float](repeating: 5, count: target.count))
      }
      #expect(weights.allSatisfy { abs($0 - 5) < 0.01 })
    }
  }
}
