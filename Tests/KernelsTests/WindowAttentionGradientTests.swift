import Foundation
import Testing

@testable import Kernels

/// Inputs of attention over whole segments and of its backward pass.
struct AttentionGradientCase: CustomTestStringConvertible, Sendable {
  var layout: HeadLayout
  var segments = 1
  var tokens: Int
  var window: Int?
  var sinks = 0
  var q, k, v, dO: [Float]

  init(
    _ layout: HeadLayout, segments: Int = 1, tokens: Int, window: Int?, sinks: Int = 0, seed: UInt64
  ) {
    self.layout = layout
    self.segments = segments
    self.tokens = tokens
    self.window = window
    self.sinks = sinks
    var random = Random(seed)
    let total = segments * tokens
    // Large queries make the softmax sharp, so that wrong maxima show.
    q = random.normals(total * layout.queryWidth, deviation: 3)
    k = random.normals(total * layout.keyWidth)
    v = random.normals(total * layout.valueWidth)
    dO = random.normals(total * layout.outputWidth)
  }

  var testDescription: String {
    "\(layout.heads)/\(layout.kvHeads)x\(layout.keyDimension),\(layout.valueDimension) "
      + "\(segments) of \(tokens), window \(window.map(String.init) ?? "none"), sinks \(sinks)"
  }

  typealias Gradients = (q: [Float], k: [Float], v: [Float])

  func forward() -> [Float] {
    var output = poisoned(dO.count)
    WindowAttention.applySegments(
      queries: q, keys: k, values: v, segments: segments, tokens: tokens, layout: layout,
      window: window, sinks: sinks, output: &output)
    return output
  }

  /// The forward pass's specification, segment by segment.
  func forwardReference() -> [Float] {
    var output = poisoned(dO.count)
    output.withUnsafeMutableBufferPointer { output in
      q.withUnsafeBufferPointer { q in
        k.withUnsafeBufferPointer { k in
          v.withUnsafeBufferPointer { v in
            guard let output = output.baseAddress, let q = q.baseAddress, let k = k.baseAddress,
              let v = v.baseAddress
            else { return }
            for first in stride(from: 0, to: segments * tokens, by: tokens) {
              WindowAttention.reference(
                queries: q + first * layout.queryWidth, tokens: tokens, firstPosition: 0,
                layout: layout,
                segments: [
                  KeyValueSegment(
                    keys: k + first * layout.keyWidth, values: v + first * layout.valueWidth,
                    firstPosition: 0, count: sinks, isAlwaysVisible: true),
                  KeyValueSegment(
                    keys: k + (first + sinks) * layout.keyWidth,
                    values: v + (first + sinks) * layout.valueWidth, firstPosition: sinks,
                    count: tokens - sinks),
                ], window: window ?? .max, output: output + first * layout.outputWidth)
            }
          }
        }
      }
    }
    return output
  }

  func run() -> Gradients {
    var dq = poisoned(q.count), dk = poisoned(k.count), dv = poisoned(v.count)
    WindowAttention.backward(
      queries: q, keys: k, values: v, output: forward(), outputGradient: dO, segments: segments,
      tokens: tokens, layout: layout, window: window, sinks: sinks, queryGradient: &dq,
      keyGradient: &dk, valueGradient: &dv)
    return (dq, dk, dv)
  }

  func reference() -> Gradients {
    var dq = poisoned(q.count), dk = poisoned(k.count), dv = poisoned(v.count)
    WindowAttention.backwardReference(
      queries: q, keys: k, values: v, outputGradient: dO, segments: segments, tokens: tokens,
      layout: layout, window: window, sinks: sinks, queryGradient: &dq, keyGradient: &dk,
      valueGradient: &dv)
    return (dq, dk, dv)
  }

  /// The relative errors of dq, dk and dv.
  static func errors(_ a: Gradients, _ b: Gradients) -> [Double] {
    [relativeError(a.q, b.q), relativeError(a.k, b.k), relativeError(a.v, b.v)]
  }
}

extension KernelTests {
  @Suite struct WindowAttentionGradientTests {
    /// Blocks are 384 / group tokens forward and 192 / group backward, tiles 256 keys: sizes on both
    /// sides of all.
    static let cases: [AttentionGradientCase] = {
      var cases: [AttentionGradientCase] = []
      let small = HeadLayout(heads: 3, kvHeads: 1, dimension: 24)
      for window in [1, 2, 7, 129, 300, nil] {
        for tokens in [1, 2, 3, 70, 131, 401] {
          cases.append(
            AttentionGradientCase(
              small, segments: tokens < 100 ? 3 : 1, tokens: tokens, window: window, seed: 31))
        }
      }
      for dimension in [32, 64, 80, 128] {
        let layout = HeadLayout(heads: 4, kvHeads: 2, dimension: dimension)
        cases.append(
          AttentionGradientCase(layout, segments: 2, tokens: 290, window: 100, seed: 32))
      }
      let uneven = HeadLayout(heads: 14, kvHeads: 2, keyDimension: 40, valueDimension: 72)
      let single = HeadLayout(heads: 2, kvHeads: 2, keyDimension: 17, valueDimension: 5)
      for window in [33, nil] {
        cases.append(
          AttentionGradientCase(uneven, segments: 2, tokens: 150, window: window, seed: 33))
        cases.append(
          AttentionGradientCase(single, segments: 2, tokens: 530, window: window, seed: 34))
      }
      // Sinks of one block and of several; a text of sinks alone.
      for (sinks, tokens) in [(1, 70), (3, 131), (70, 401), (300, 401), (5, 5)] {
        for window in [2, 129, nil] {
          cases.append(
            AttentionGradientCase(
              small, segments: 2, tokens: tokens, window: window, sinks: sinks, seed: 38))
        }
      }
      return cases
    }()

    @Test(arguments: cases)
    func matchesReference(_ test: AttentionGradientCase) {
      let output = test.forwardReference(), expected = test.reference()
      forEachInstructionSet { set in
        #expect(relativeError(test.forward(), output) < 3e-6, "\(set)")
        let result = test.run()
        let errors = AttentionGradientCase.errors(result, expected)
        if test.tokens == 1 || test.window == 1 {
          // One visible key has P = 1 whatever q and k: their gradients are 0 but for rounding.
          let largest = (result.q + result.k).reduce(0) { max($0, abs($1)) }
          #expect(largest < 1e-4 && errors[2] < 5e-6, "\(set) \(largest) \(errors)")
        } else {
          #expect(errors.allSatisfy { $0 < 5e-6 }, "\(set) \(errors)")
        }
      }
    }

    /// Scores far from zero, of both signs: no exponential overflows, nothing vanishes.
    @Test func extremeScores() {
      let layout = HeadLayout(heads: 3, kvHeads: 1, dimension: 32)
      for shift in [Float(-12), 12] {
        var example = AttentionGradientCase(layout, tokens: 333, window: nil, seed: 35)
        example.q = example.q.map { $0 / 3 + shift }
        example.k = example.k.map { $0 * 0.1 + 12 }
        let expected = example.reference()
        forEachInstructionSet { set in
          let errors = AttentionGradientCase.errors(example.run(), expected)
          // Scores of 800 carry float32 errors of 1e-4.
          #expect(errors.allSatisfy { $0 < 1e-3 }, "\(set) \(errors)")
        }
      }
    }

    /// Segments do not see each other, and bytes do not depend on the thread count; dq may be
    /// written over q.
    @Test func segmentsAreIndependent() {
      let layout = HeadLayout(heads: 9, kvHeads: 3, dimension: 64), tokens = 150
      let whole = AttentionGradientCase(layout, segments: 3, tokens: tokens, window: 90, seed: 36)
      let part = { (x: [Float], segment: Int) in
        Array(x[x.count / 3 * segment..<x.count / 3 * (segment + 1)])
      }
      let alone = (0..<3).map { segment in
        var one = whole
        one.segments = 1
        (one.q, one.k) = (part(whole.q, segment), part(whole.k, segment))
        (one.v, one.dO) = (part(whole.v, segment), part(whole.dO, segment))
        return (output: one.forward(), gradients: one.run())
      }
      forEachThreadCount([1, 2, 7]) { count in
        let output = whole.forward(), all = whole.run()
        for (segment, one) in alone.enumerated() {
          #expect(part(output, segment) == one.output, "\(count)")
          #expect(part(all.q, segment) == one.gradients.q, "\(count)")
          #expect(part(all.k, segment) == one.gradients.k, "\(count)")
          #expect(part(all.v, segment) == one.gradients.v, "\(count)")
        }
        var dq = whole.q, dk = poisoned(whole.k.count), dv = poisoned(whole.v.count)
        dq.withUnsafeMutableBufferPointer {
          guard let q = $0.baseAddress else { return }
          WindowAttention.backward(
            queries: q, keys: whole.k, values: whole.v, output: output, outputGradient: whole.dO,
            segments: 3, tokens: tokens, layout: layout, window: 90, queryGradient: q,
            keyGradient: &dk, valueGradient: &dv)
        }
        #expect(dq == all.q && dk == all.k && dv == all.v)
      }
    }

    /// The reference itself against central differences of its own loss, in float64.
    @Test(arguments: [2, nil])
    func centralDifferences(window: Int?) {
      let layout = HeadLayout(heads: 4, kvHeads: 2, keyDimension: 3, valueDimension: 2)
      let example = AttentionGradientCase(
        layout, segments: 2, tokens: 5, window: window, seed: 37)
      let gradients = example.reference()
      let inputs = [example.q, example.k, example.v].map { $0.map(Double.init) }
      for (index, gradient) in [gradients.q, gradients.k, gradients.v].enumerated() {
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
    private func loss(_ inputs: [[Double]], _ example: AttentionGradientCase) -> Double {
      let layout = example.layout, dk = layout.keyDimension, dv = layout.valueDimension
      var total = 0.0
      for t in 0..<example.segments * example.tokens {
        for h in 0..<layout.heads {
          let kv = h / layout.groupSize
          var sum = 0.0, weighted = 0.0
          for j in t / example.tokens * example.tokens...t
          where example.window.map({ t - j < $0 }) ?? true {
            let score = (0..<dk).reduce(0) {
              $0 + inputs[0][t * layout.queryWidth + h * dk + $1]
                * inputs[1][j * layout.keyWidth + kv * dk + $1]
            }
            let weight = exp(score / Double(dk).squareRoot())
            sum += weight
            for c in 0..<dv {
              weighted +=
                weight * inputs[2][j * layout.valueWidth + kv * dv + c]
                * Double(example.dO[t * layout.outputWidth + h * dv + c])
            }
          }
          total += weighted / sum
        }
      }
      return total
    }
  }
}
