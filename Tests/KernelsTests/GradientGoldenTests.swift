import Testing

@testable import Kernels

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

    @Test(arguments: [("attention_gradients", 0), ("sink_gradients", 4)])
    func attention(_ name: String, _ sinks: Int) throws {
      var golden = try Golden(name)
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 8), rows = 2 * 23
      var example = AttentionGradientCase(
        layout, segments: 2, tokens: 23, window: 6, sinks: sinks, seed: 1)
      example.q = golden.floats(rows * 48)
      example.k = golden.floats(rows * 16)
      example.v = golden.floats(rows * 16)
      example.dO = golden.floats(rows * 48)
      for window in [6, nil] {
        example.window = window
        let o = golden.floats(rows * 48), dq = golden.floats(rows * 48)
        let dk = golden.floats(rows * 16), dv = golden.floats(rows * 16)
        let reference = example.reference()
        #expect(AttentionGradientCase.errors(reference, (dq, dk, dv)).allSatisfy { $0 < 1.2e-7 })
        forEachInstructionSet { set in
          let errors = AttentionGradientCase.errors(example.run(), (dq, dk, dv))
          #expect(errors.allSatisfy { $0 < 1e-6 }, "\(set) \(errors)")
          #expect(relativeError(example.forward(), o) < 1e-6, "\(set)")
        }
      }
      #expect(golden.remaining == 0)
    }

    @Test func rotary() throws {
      var golden = try Golden("rotary_gradients")
      let dy = golden.floats(240), dx = golden.floats(240)
      let table = RotaryEmbedding(dimension: 16, theta: 1e4).table(first: 9, count: 7)
      var reference = dy
      table.reference(to: &reference, tokens: 5, heads: 3, offset: 2, inverse: true)
      #expect(relativeError(reference, dx) < 3e-7)
      forEachInstructionSet { set in
        var gradient = dy
        table.backward(&gradient, tokens: 5, heads: 3, offset: 2)
        #expect(relativeError(gradient, dx) < 3e-7, "\(set)")
      }
    }

    @Test func swiglu() throws {
      var golden = try Golden("swiglu_gradients")
      let gate = golden.floats(231), up = golden.floats(231), dy = golden.floats(231)
      let dgate = golden.floats(231), dup = golden.floats(231)
      #expect(golden.remaining == 0)
      forEachInstructionSet { set in
        var byGate = poisoned(231), byUp = poisoned(231)
        SwiGLU.backward(
          gate: gate, up: up, outputGradient: dy, count: 231, gateGradient: &byGate,
          upGradient: &byUp)
        #expect(relativeError(byGate, dgate) < 3e-7, "\(set)")
        #expect(relativeError(byUp, dup) < 3e-7, "\(set)")
      }
    }

    @Test func distillation() throws {
      var golden = try Golden("distillation")
      let student = golden.floats(335), teacher = golden.floats(335)
      let divergences = golden.floats(5), gradient = golden.floats(335)
      #expect(golden.remaining == 0)
      forEachInstructionSet { set in
        var logits = student, result = [Double](repeating: .nan, count: 5)
        let total = Distillation.backwardInPlace(
          student: &logits, teacher: teacher, rows: 5, count: 67, factor: 0.25,
          divergences: &result)
        #expect(total == result.reduce(0, +))
        for (ours, theirs) in zip(result, divergences) {
          #expect(abs(ours - Double(theirs)) < 1e-7 + 3e-7 * Double(theirs), "\(set)")
        }
        #expect(relativeError(logits, gradient) < 5e-7, "\(set)")
        let last = 4 * 67..<335
        #expect(relativeError(Array(logits[last]), Array(gradient[last])) < 5e-5, "\(set)")
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
