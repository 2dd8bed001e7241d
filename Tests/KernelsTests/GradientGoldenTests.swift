import Kernels
import Testing

extension KernelTests {
  /// Agreement with PyTorch's autograd and optimiser, on every instruction set.
  @Suite struct GradientGoldenTests {
    @Test func gatedLinearAttention() throws {
      var golden = try Golden("gla_gradients")
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 16), tokens = 45
      var example = GradientCase(layout, tokens: tokens, decay: 0, seed: 1)
      example.q = golden.floats(tokens * 96)
      example.k = golden.floats(tokens * 32)
      example.v = golden.floats(tokens * 32)
      let logits = golden.floats(tokens * 32)
      example.state = golden.floats(512)
      example.dO = golden.floats(tokens * 96)
      let (dq, dk) = (golden.floats(tokens * 96), golden.floats(tokens * 32))
      let (dv, dz) = (golden.floats(tokens * 32), golden.floats(tokens * 32))
      #expect(golden.remaining == 0)
      forEachInstructionSet { set in
        example.g = logits
        DecayGate.logDecayInPlace(&example.g, count: logits.count)
        for reference in [true, false] {
          let result = example.run(reference: reference)
          var gate = poisoned(dz.count)
          DecayGate.backward(
            logits: logits, logDecayGradient: result.g, count: dz.count, into: &gate)
          #expect(relativeError(result.q, dq) < 2e-6, "\(set)")
          #expect(relativeError(result.k, dk) < 2e-6, "\(set)")
          #expect(relativeError(result.v, dv) < 2e-6, "\(set)")
          #expect(relativeError(gate, dz) < 5e-6, "\(set)")
        }
      }
    }

    @Test func rmsNorm() throws {
      var golden = try Golden("norm_gradients")
      let x = golden.floats(231), weight = golden.floats(33), dy = golden.floats(231)
      let dx = golden.floats(231), dw = golden.floats(33)
      forEachInstructionSet { set in
        var input = poisoned(231), sums = [Float](repeating: 0, count: 33)
        RMSNorm.backward(
          x, outputGradient: dy, rows: 7, count: 33, weight: weight, epsilon: 1e-5,
          inputGradient: &input, addingWeightGradient: &sums)
        #expect(relativeError(input, dx) < 5e-7, "\(set)")
        #expect(relativeError(sums, dw) < 5e-7, "\(set)")
      }
    }

    @Test func adam() throws {
      var golden = try Golden("adam")
      let start = golden.floats(40), prior = golden.floats(40)
      let gradients = (0..<5).map { _ in golden.floats(40) }
      let expected = (0..<5).map { _ in golden.floats(40) }
      let settings = Adam.Settings(
        learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1)
      forEachInstructionSet { set in
        let adam = Adam(count: 40)
        var weights = start
        for (gradient, expected) in zip(gradients, expected) {
          adam.step(&weights, gradient: gradient, settings: settings, prior: prior)
          #expect(relativeError(weights, expected) < 3e-7, "\(set) \(adam.steps)")
        }
      }
    }
  }
}
