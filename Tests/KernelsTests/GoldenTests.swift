import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Agreement with PyTorch, transformers and gguf, on every instruction set.
  @Suite struct GoldenTests {
    @Test(
      arguments: [
        ("Q8_0", ScalarType.q8_0), ("Q4_0", .q4_0), ("Q4_1", .q4_1), ("Q5_0", .q5_0),
        ("Q5_1", .q5_1), ("Q4_K", .q4_K), ("Q5_K", .q5_K), ("Q6_K", .q6_K),
        ("Q2_K", .q2_K), ("Q3_K", .q3_K), ("IQ4_NL", .iq4_nl), ("IQ4_XS", .iq4_xs),
        ("MXFP4", .mxfp4), ("TQ1_0", .tq1_0), ("TQ2_0", .tq2_0),
        ("IQ1_S", .iq1_s), ("IQ1_M", .iq1_m), ("IQ2_XXS", .iq2_xxs), ("IQ2_XS", .iq2_xs),
        ("IQ2_S", .iq2_s), ("IQ3_XXS", .iq3_xxs), ("IQ3_S", .iq3_s),
      ])
    func quantisedRows(name: String, type: ScalarType) throws {
      var golden = try Golden("quant_\(name)")
      let raw = golden.take(3 * 512 / type.blockElements * type.blockBytes, of: UInt8.self)
      let expected = golden.floats(3 * 512)
      #expect(golden.remaining == 0)
      let view = unalignedView(raw, type: type, shape: [3, 512])
      var reference = poisoned(3 * 512)
      RowDecoder.reference(view, rows: 0..<3, into: &reference)
      #expect(reference.map(\.bitPattern) == expected.map(\.bitPattern))
      forEachInstructionSet { set in
        var decoded = poisoned(3 * 512)
        RowDecoder.decode(view, rows: 0..<3, into: &decoded)
        #expect(decoded.map(\.bitPattern) == expected.map(\.bitPattern), "\(set)")
      }
    }

    @Test func casts() throws {
      var golden = try Golden("casts")
      let count = golden.remaining / 8
      let values = golden.floats(count)
      let brain = golden.take(count, of: UInt16.self), half = golden.take(count, of: UInt16.self)
      #expect(values.map(FloatCast.bfloat16) == brain)
      #expect(values.map(FloatCast.float16) == half)
      forEachInstructionSet { set in
        var result = [UInt16](repeating: 0xdead, count: count)
        FloatCast.encode(values, count: count, as: .bfloat16, into: &result)
        #expect(result == brain, "\(set)")
        FloatCast.encode(values, count: count, as: .float16, into: &result)
        #expect(result == half, "\(set)")
      }
    }

    @Test(
      arguments: [
        ("plain_64_1e4", 64, 10000.0, RotaryScaling.none),
        ("plain_128_1e6", 128, 1_000_000, .none), ("plain_80_5e5", 80, 500000, .none),
        (
          "llama3_128_5e5", 128, 500000,
          .llama3(
            factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192)
        ),
        ("linear_64_1e4", 64, 10000, .linear(factor: 4)),
      ])
    func rotaryTables(name: String, dimension: Int, theta: Double, scaling: RotaryScaling) throws {
      var golden = try Golden("rotary_\(name)")
      let half = dimension / 2
      let computed = RotaryEmbedding(dimension: dimension, theta: theta, scaling: scaling)
      let expected = golden.floats(half)
      // PyTorch's vectorised pow is itself off by one unit in the last place now and then.
      for (ours, theirs) in zip(computed.inverseFrequencies, expected) {
        #expect(abs(Int(ours.bitPattern) - Int(theirs.bitPattern)) <= 1)
      }
      let rotary = RotaryEmbedding(inverseFrequencies: expected)
      let cosines = golden.floats(5 * half), sines = golden.floats(5 * half)
      for (index, position) in [0, 1, 777, 40000, 131071].enumerated() {
        // Rotating (1, 0) gives (cos, sin).
        var x = [Float](repeating: 1, count: half) + [Float](repeating: 0, count: half)
        rotary.table(first: position, count: 1).apply(to: &x, tokens: 1, heads: 1)
        let rows = index * half..<(index + 1) * half
        #expect(relativeError(Array(x[..<half]), Array(cosines[rows])) < 1.3e-7)
        if position > 0 {
          #expect(relativeError(Array(x[half...]), Array(sines[rows])) < 1.3e-7)
        }
      }
    }

    @Test func windowAttention() throws {
      var golden = try Golden("attention")
      let q = golden.floats(37 * 144), k = golden.floats(37 * 48), v = golden.floats(37 * 48)
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 24)
      let expected = [golden.floats(37 * 144), golden.floats(37 * 144)]
      for (window, expected) in zip([9, Int.max], expected) {
        let run = { (function: AttentionFunction) in
          k.withUnsafeBufferPointer { k in
            v.withUnsafeBufferPointer { v in
              var output = poisoned(37 * 144)
              guard let k = k.baseAddress, let v = v.baseAddress else { return output }
              let segment = KeyValueSegment(keys: k, values: v, firstPosition: 0, count: 37)
              function(q, 37, 0, layout, [segment], window, &output)
              return output
            }
          }
        }
        #expect(relativeError(run(WindowAttention.reference), expected) < 1e-7)
        forEachInstructionSet { set in
          #expect(relativeError(run(WindowAttention.apply), expected) < 1e-6, "\(set)")
        }
      }
    }

    @Test func gatedLinearAttention() throws {
      var golden = try Golden("gla")
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 16)
      let q = golden.floats(50 * 96), k = golden.floats(50 * 32), v = golden.floats(50 * 32)
      let logits = golden.floats(50 * 32), initial = golden.floats(512)
      let expected = golden.floats(50 * 96), final = golden.floats(512)
      forEachInstructionSet { set in
        var g = logits
        DecayGate.logDecayInPlace(&g, count: g.count)
        for form in GatedLinearAttentionForm.all {
          var state = initial, output = poisoned(50 * 96)
          form.function(q, k, v, g, 50, layout, &state, &output)
          #expect(relativeError(output, expected) < 2e-6, "\(form.name) \(set)")
          #expect(relativeError(state, final) < 2e-6, "\(form.name) \(set)")
        }
      }
    }

    @Test func normAndActivation() throws {
      var golden = try Golden("norm")
      let x = golden.floats(231), weight = golden.floats(33), normed = golden.floats(231)
      let gate = golden.floats(231), up = golden.floats(231), activated = golden.floats(231)
      forEachInstructionSet { set in
        var output = poisoned(231)
        RMSNorm.apply(x, rows: 7, count: 33, weight: weight, epsilon: 1e-5, into: &output)
        #expect(relativeError(output, normed) < 3e-7, "\(set)")
        output = poisoned(231)
        SwiGLU.apply(gate: gate, up: up, count: 231, into: &output)
        #expect(relativeError(output, activated) < 3e-7, "\(set)")
      }
    }
  }
}
