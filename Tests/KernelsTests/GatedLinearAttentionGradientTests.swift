import Foundation
import Testing

@testable import Kernels

/// Inputs of a backward pass and room for its gradients.
struct GradientCase {
  var layout: HeadLayout
  var segments = 1
  var tokens: Int
  var q, k, v, g, dO: [Float]
  var state: [Float]?

  /// Random values as a GLA layer has them: q and k after a ReLU.
  init(_ layout: HeadLayout, segments: Int = 1, tokens: Int, decay: Float, seed: UInt64) {
    self.layout = layout
    self.segments = segments
    self.tokens = tokens
    var random = Random(seed)
    let total = segments * tokens
    q = random.normals(total * layout.queryWidth).map { max($0, 0) }
    k = random.normals(total * layout.keyWidth).map { max($0, 0) }
    v = random.normals(total * layout.valueWidth)
    g = random.normals(total * layout.keyWidth).map { -abs($0) * decay }
    dO = random.normals(total * layout.outputWidth)
    state = random.normals(segments * GatedLinearAttention.stateCount(layout))
  }

  typealias Gradients = (q: [Float], k: [Float], v: [Float], g: [Float])

  func run(reference: Bool = false) -> Gradients {
    var dq = poisoned(q.count), dk = poisoned(k.count), dv = poisoned(v.count)
    var dg = poisoned(g.count)
    let call = { (state: UnsafePointer<Float>?) in
      (reference ? GatedLinearAttention.backwardReference : GatedLinearAttention.backward)(
        q, k, v, g, dO, segments, tokens, layout, state, &dq, &dk, &dv, &dg)
    }
    if let state { state.withUnsafeBufferPointer { call($0.baseAddress) } } else { call(nil) }
    return (dq, dk, dv, dg)
  }

  /// The relative errors of dq, dk, dv and dg.
  static func errors(_ a: Gradients, _ b: Gradients) -> [Double] {
    [
      relativeError(a.q, b.q), relativeError(a.k, b.k), relativeError(a.v, b.v),
      relativeError(a.g, b.g),
    ]
  }
}

extension KernelTests {
  @Suite struct GatedLinearAttentionGradientTests {
    @Test(arguments: GatedLinearAttentionTests.layouts, [Float(0), 1e-6, 0.02, 1])
    func matchesReference(layout: HeadLayout, decay: Float) {
      for tokens in [1, 2, 3, 16, 31, 33, 131] {
        var example = GradientCase(layout, tokens: tokens, decay: decay, seed: UInt64(tokens))
        for state in [nil, example.state] {
          example.state = state
          let expected = example.run(reference: true)
          forEachInstructionSet { set in
            let errors = GradientCase.errors(example.run(), expected)
            let label = "\(set) \(tokens) \(state == nil ? "empty" : "state") \(errors)"
            #expect(errors[..<3].allSatisfy { $0 < 5e-6 }, "\(label)")
            // One token from the empty state has dg = 0, to which nothing is relative.
            #expect(errors[3] < 1e-4 || tokens == 1 && state == nil, "\(label)")
          }
        }
      }
    }

    /// Channels that never forget, hardly, soon and at once, side by side: a chunked form with
    /// exponents of both signs would overflow here.
    @Test func extremeDecays() {
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 40), tokens = 150
      var example = GradientCase(layout, tokens: tokens, decay: 1, seed: 5)
      let decays: [Float] = [0, -1e-6, -0.05, -5, -1000]
      var random = Random(6)
      for mixed in [false, true] {
        for i in example.g.indices {
          example.g[i] = mixed ? decays.randomElement(using: &random) ?? 0 : decays[i % 5]
        }
        let expected = example.run(reference: true)
        forEachInstructionSet { set in
          let errors = GradientCase.errors(example.run(), expected)
          #expect(errors[..<3].allSatisfy { $0 < 5e-6 } && errors[3] < 1e-4, "\(set) \(errors)")
        }
      }
    }

    /// Many tokens, whose dg are sums that cancel; and their own sum, as a gate's bias sees it, in
    /// which errors that persist from token to token would show.
    @Test func longSequence() {
      let layout = HeadLayout(heads: 3, kvHeads: 1, dimension: 32)
      for decay in [Float(0), 1e-4, 0.01, 0.3, 3] {
        let example = GradientCase(layout, tokens: 3000, decay: decay, seed: 7)
        let result = example.run(), expected = example.run(reference: true)
        let errors = GradientCase.errors(result, expected)
        #expect(errors[..<3].allSatisfy { $0 < 1e-5 } && errors[3] < 1e-5, "\(decay) \(errors)")
        let sums = [result.g, expected.g].map { g in
          (0..<32).map { c in
            Float(stride(from: c, to: g.count, by: 32).reduce(0) { $0 + Double(g[$1]) })
          }
        }
        let error = relativeError(sums[0], sums[1])
        #expect(error < 2e-5, "\(decay) \(error)")
      }
    }

    /// Segments do not see each other, whatever the thread count.
    @Test func segmentsAreIndependent() {
      let layout = HeadLayout(heads: 9, kvHeads: 3, dimension: 64)
      var whole = GradientCase(layout, segments: 3, tokens: 37, decay: 0.1, seed: 8)
      whole.state = nil
      forEachThreadCount([1, 2, 7]) { count in
        let all = whole.run()
        var output = poisoned(whole.dO.count)
        GatedLinearAttention.applySegments(
          queries: whole.q, keys: whole.k, values: whole.v, logDecay: whole.g, segments: 3,
          tokens: 37, layout: layout, output: &output)
        for segment in 0..<3 {
          let part = { (x: [Float]) in Array(x[x.count / 3 * segment..<x.count / 3 * (segment + 1)])
          }
          var one = whole
          one.segments = 1
          (one.q, one.k, one.v) = (part(whole.q), part(whole.k), part(whole.v))
          (one.g, one.dO) = (part(whole.g), part(whole.dO))
          let alone = one.run()
          #expect(part(all.q) == alone.q && part(all.k) == alone.k, "\(count)")
          #expect(part(all.v) == alone.v && part(all.g) == alone.g, "\(count)")
          var state = [Float](repeating: 0, count: GatedLinearAttention.stateCount(layout))
          var o = poisoned(one.dO.count)
          GatedLinearAttention.apply(
            queries: one.q, keys: one.k, values: one.v, logDecay: one.g, tokens: 37,
            layout: layout, state: &state, output: &o)
          #expect(part(output) == o)
        }
      }
    }

    /// The reference itself against central differences of its own loss, in float64.
    @Test func centralDifferences() {
      let layout = HeadLayout(heads: 4, kvHeads: 2, keyDimension: 3, valueDimension: 2)
      let example = GradientCase(layout, tokens: 5, decay: 0.5, seed: 9)
      let gradients = example.run(reference: true)
      let inputs = [example.q, example.k, example.v, example.g].map { $0.map(Double.init) }
      for (index, gradient) in [gradients.q, gradients.k, gradients.v, gradients.g].enumerated() {
        for i in gradient.indices {
          let at = { (shift: Double) in
            var moved = inputs
            moved[index][i] += shift
            return loss(moved, example)
          }
          let slope = (at(1e-5) - at(-1e-5)) / 2e-5
          #expect(abs(slope - Double(gradient[i])) < 1e-6 * (1 + abs(slope)), "\(index) \(i)")
        }
      }
    }

    /// The sum of o · dO, straight from the definition.
    private func loss(_ inputs: [[Double]], _ example: GradientCase) -> Double {
      let layout = example.layout, dk = layout.keyDimension, dv = layout.valueDimension
      var total = 0.0
      for head in 0..<layout.heads {
        let kv = head / layout.groupSize
        var s = (0..<dk * dv).map { Double(example.state?[kv * dk * dv + $0] ?? 0) }
        for t in 0..<example.tokens {
          for i in 0..<dk {
            let key = t * layout.keyWidth + kv * dk + i
            for j in 0..<dv {
              s[i * dv + j] *= exp(inputs[3][key])
              s[i * dv + j] += inputs[1][key] * inputs[2][t * layout.valueWidth + kv * dv + j]
              total +=
                inputs[0][t * layout.queryWidth + head * dk + i] * s[i * dv + j]
                * Double(example.dO[t * layout.outputWidth + head * dv + j])
                / Double(dk).squareRoot()
            }
          }
        }
      }
      return total
    }
  }
}
