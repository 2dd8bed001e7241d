import Foundation
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct ElementwiseTests {
    static let counts = [1, 2, 15, 16, 17, 31, 33, 64, 67, 257]

    /// One ulp-ish relative comparison per element.
    func close(_ a: [Float], _ b: [Float], _ tolerance: Double) -> Bool {
      a.count == b.count
        && zip(a, b).allSatisfy { x, y in
          x == y || abs(Double(x) - Double(y)) <= tolerance * abs(Double(y)) + 1e-37
        }
    }

    @Test(arguments: counts)
    func rmsNorm(count: Int) {
      var random = Random(7)
      let rows = 5, weightRows = 3
      let x = random.normals(rows * count), weight = random.normals(weightRows * count)
      var expected = poisoned(rows * count)
      RMSNorm.reference(
        x, rows: rows, count: count, weight: weight, weightRows: weightRows, epsilon: 1e-6,
        into: &expected)
      forEachInstructionSet { set in
        var y = poisoned(rows * count)
        RMSNorm.apply(
          x, rows: rows, count: count, weight: weight, weightRows: weightRows, epsilon: 1e-6,
          into: &y)
        #expect(close(y, expected, 1e-6), "\(set)")
        var inPlace = x
        inPlace.withUnsafeMutableBufferPointer { x in
          guard let x = x.baseAddress else { return }
          RMSNorm.apply(
            x, rows: rows, count: count, weight: weight, weightRows: weightRows, epsilon: 1e-6,
            into: x)
        }
        #expect(inPlace == y)
      }
    }

    @Test(arguments: counts + [200_003])
    func swiGLU(count: Int) {
      var random = Random(8)
      var gate = random.normals(count, deviation: 8)
      let up = random.normals(count)
      for (i, value) in [Float(-200), 200, -88.5, 0, -87.4].enumerated() where i < count {
        gate[count - 1 - i] = value
      }
      var expected = poisoned(count)
      SwiGLU.reference(gate: gate, up: up, count: count, into: &expected)
      forEachInstructionSet { set in
        var y = poisoned(count)
        SwiGLU.apply(gate: gate, up: up, count: count, into: &y)
        #expect(close(y, expected, 1e-6), "\(set)")
      }
    }

    @Test(arguments: counts + [200_003])
    func sigmoid(count: Int) {
      var random = Random(9)
      var x = random.normals(count, deviation: 8)
      for (i, value) in [Float(-85), 200, 0, -40, 20].enumerated() where i < count { x[i] = value }
      var expected = x
      Sigmoid.referenceInPlace(&expected, count: count)
      forEachInstructionSet { set in
        var y = x
        Sigmoid.applyInPlace(&y, count: count)
        // Half an ulp of logsigmoid(-85) is 4e-6 of its exponential.
        #expect(close(y, expected, 8e-6), "\(set)")
        var small = x.map { $0 / 8 }, reference = x.map { $0 / 8 }
        Sigmoid.applyInPlace(&small, count: count)
        Sigmoid.referenceInPlace(&reference, count: count)
        #expect(close(small, reference, 2e-6), "\(set)")
      }
    }

    @Test func notANumberStaysVisible() {
      forEachInstructionSet { set in
        var y: [Float] = [0, 0]
        SwiGLU.apply(gate: [.nan, 1], up: [1, .nan], count: 2, into: &y)
        #expect(y.allSatisfy { $0.isNaN }, "\(set)")
        var z: [Float] = [.nan, 1]
        DecayGate.logDecayInPlace(&z, count: 2)
        #expect(z[0].isNaN && !z[1].isNaN, "\(set)")
        z = [.nan, -1]
        Vector.reluInPlace(&z, count: 2)
        #expect(z[0].isNaN && z[1] == 0, "\(set)")
      }
    }

    @Test(arguments: counts)
    func sums(count: Int) {
      var random = Random(9)
      let x = random.normals(count), y = random.normals(count)
      forEachInstructionSet { set in
        var sum = y
        Vector.add(x, count: count, to: &sum)
        #expect(sum == zip(x, y).map { $0 + $1 }, "\(set)")
        sum = y
        Vector.addScaled(x, by: 0.37, count: count, to: &sum)
        let exact = zip(x, y).map { Float(Double(Float(0.37)) * Double($0) + Double($1)) }
        #expect(relativeError(sum, exact) < 2e-7, "\(set)")
        var clipped = x
        Vector.reluInPlace(&clipped, count: count)
        #expect(clipped == x.map { max($0, 0) }, "\(set)")
      }
    }

    @Test(arguments: counts)
    func softmax(count: Int) {
      var random = Random(10)
      let x = random.normals(3 * count, deviation: 20)
      var expected = x
      Softmax.referenceInPlace(&expected, rows: 3, count: count)
      forEachInstructionSet { set in
        var y = x
        Softmax.applyInPlace(&y, rows: 3, count: count)
        // Weights e^-80 below the largest may lose digits; what matters is the error to 1.
        #expect(zip(y, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(set)")
        let value = Softmax.logSumExp(x, count: count)
        #expect(abs(value - Softmax.referenceLogSumExp(x, count: count)) < 2e-6, "\(set)")
      }
      #expect(Softmax.logSumExp([-.infinity, -.infinity], count: 2) == -.infinity)
    }

    @Test(arguments: counts)
    func argmax(count: Int) {
      var random = Random(11)
      for repetition in 0..<20 {
        var x = (0..<count).map { _ in Float(Int.random(in: 0..<7, using: &random)) - 8 }
        if repetition % 3 == 0 { x[Int.random(in: 0..<count, using: &random)] = .nan }
        if repetition % 4 == 0 { x[Int.random(in: 0..<count, using: &random)] = -.infinity }
        let expected = Vector.referenceArgmax(x, count: count)
        forEachInstructionSet { set in
          #expect(Vector.argmax(x, count: count) == expected, "\(set) \(x)")
        }
      }
    }

    @Test(arguments: counts)
    func logDecay(count: Int) {
      var random = Random(12)
      var z = random.normals(count, deviation: 10)
      for (i, value) in [Float(-16000), 100, 0, -90, 30].enumerated() where i < count {
        z[count - 1 - i] = value
      }
      var expected = z
      DecayGate.referenceInPlace(&expected, count: count)
      forEachInstructionSet { set in
        var g = z
        DecayGate.logDecayInPlace(&g, count: count)
        #expect(close(g, expected, 4e-7), "\(set) \(zip(g, expected).map { ($0, $1) })")
        #expect(g.allSatisfy { $0 <= 0 })
      }
    }

    @Test func channelsBeyondTheRotatedStay() {
      var random = Random(14)
      let part = RotaryEmbedding(dimension: 12, of: 20, theta: 1e4).table(first: 5, count: 3)
      let whole = RotaryEmbedding(dimension: 12, theta: 1e4).table(first: 5, count: 3)
      let x = random.normals(3 * 2 * 20)
      var y = x
      part.apply(to: &y, tokens: 3, heads: 2)
      for head in 0..<6 {
        var turned = Array(x[head * 20..<head * 20 + 12])
        whole.apply(to: &turned, tokens: 1, heads: 1, offset: head / 2)
        #expect(
          Array(y[head * 20..<(head + 1) * 20]) == turned + x[head * 20 + 12..<(head + 1) * 20])
      }
      part.backward(&y, tokens: 3, heads: 2)
      #expect(relativeError(y, x) < 1e-6)
    }

    @Test func gatedActivations() {
      let gate: [Float] = [-6, -1, -0.5, 0, 0.5, 1, 2, 30], up: [Float] = [1, 2, 3, 4, 5, 6, -7, 1]
      // gelu(1) and its approximation, by tables of the normal distribution and of tanh.
      var exact = poisoned(8), approximate = poisoned(8)
      GatedActivation.gelu(gate: gate, up: up, count: 8, into: &exact)
      GatedActivation.geluTanh(gate: gate, up: up, count: 8, into: &approximate)
      #expect(abs(exact[5] - 6 * 0.841_344_75) < 1e-5)
      #expect(abs(approximate[5] - 6 * 0.841_192) < 1e-5)
      #expect(exact[3] == 0 && approximate[3] == 0 && exact[7] == 30 && approximate[7] == 30)
      #expect(abs(exact[1] + 2 * 0.158_655_25) < 1e-5)
      var capped: [Float] = [-1e9, -1, 0, 1e-3, 1e9]
      SoftCap.applyInPlace(&capped, count: 5, cap: 5)
      #expect(capped[0] == -5 && capped[2] == 0 && capped[4] == 5)
      #expect(abs(capped[1] + 5 * 0.197_375_32) < 1e-6 && abs(capped[3] - 1e-3) < 1e-9)
    }

    @Test(arguments: [2, 24, 64, 80, 128])
    func rotation(dimension: Int) {
      var random = Random(13)
      let rotary = RotaryEmbedding(dimension: dimension, theta: 1e5)
      let table = rotary.table(first: 1000, count: 9)
      let x = random.normals(7 * 3 * dimension)
      var expected = x
      table.reference(to: &expected, tokens: 7, heads: 3, offset: 2)
      forEachInstructionSet { set in
        var y = x
        table.apply(to: &y, tokens: 7, heads: 3, offset: 2)
        #expect(relativeError(y, expected) < 2e-7, "\(set)")
      }
      // A table that starts elsewhere rotates a position the same way.
      var shifted = x
      rotary.table(first: 1002, count: 7).reference(to: &shifted, tokens: 7, heads: 3)
      #expect(shifted == expected)
    }
  }
}
