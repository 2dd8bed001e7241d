import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct WindowAttentionTests {
    /// Keys and values of positions 0..<total, cut at `cuts`; queries are the last `tokens`.
    struct Case: CustomTestStringConvertible, Sendable {
      var layout: HeadLayout
      var total: Int
      var tokens: Int
      var window: Int
      var cuts: [Int]
      /// Whether every query sees the whole first segment.
      var seesFirst = false
      var testDescription: String {
        "\(layout.heads)/\(layout.kvHeads)x\(layout.keyDimension) \(tokens) of \(total), "
          + "window \(window), cuts \(cuts)"
      }
    }

    static let cases: [Case] = {
      var cases: [Case] = []
      let small = HeadLayout(heads: 3, kvHeads: 1, dimension: 24)
      for window in [1, 2, 7, 63, 64, 65, 300, Int.max] {
        for (total, tokens) in [(1, 1), (70, 1), (70, 3), (70, 70), (333, 100), (600, 600)] {
          cases.append(
            Case(layout: small, total: total, tokens: tokens, window: window, cuts: [total / 3]))
        }
      }
      for dimension in [32, 64, 80, 128] {
        let layout = HeadLayout(heads: 4, kvHeads: 2, dimension: dimension)
        cases.append(
          Case(layout: layout, total: 290, tokens: 41, window: 200, cuts: [100, 249]))
        cases.append(Case(layout: layout, total: 290, tokens: 1, window: 200, cuts: [100, 289]))
      }
      let uneven = HeadLayout(heads: 14, kvHeads: 2, keyDimension: 40, valueDimension: 72)
      cases.append(Case(layout: uneven, total: 150, tokens: 90, window: 33, cuts: [20, 20, 100]))
      cases.append(Case(layout: uneven, total: 150, tokens: 1, window: 133, cuts: [20, 20, 100]))
      for (total, tokens, window) in [(90, 40, 7), (90, 1, 7), (90, 90, 3), (600, 300, 64)] {
        cases.append(
          Case(
            layout: small, total: total, tokens: tokens, window: window, cuts: [11],
            seesFirst: true))
      }
      return cases
    }()

    @Test(arguments: cases)
    func matchesReference(_ test: Case) {
      let layout = test.layout
      var random = Random(UInt64(test.total + test.tokens))
      // Large queries make the softmax sharp, so that wrong maxima show.
      let q = random.normals(test.tokens * layout.queryWidth, deviation: 3)
      let k = random.normals(test.total * layout.keyWidth)
      let v = random.normals(test.total * layout.valueWidth)
      let bounds = [0] + test.cuts + [test.total]
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          guard let k = k.baseAddress, let v = v.baseAddress else { return }
          let segments = zip(bounds, bounds.dropFirst()).map { start, end in
            KeyValueSegment(
              keys: k + start * layout.keyWidth, values: v + start * layout.valueWidth,
              firstPosition: start + 5, count: end - start,
              isAlwaysVisible: test.seesFirst && start == 0)
          }
          let first = test.total - test.tokens + 5
          var expected = poisoned(test.tokens * layout.outputWidth)
          WindowAttention.reference(
            queries: q, tokens: test.tokens, firstPosition: first, layout: layout,
            segments: segments, window: test.window, output: &expected)
          forEachInstructionSet { set in
            for order in [segments, segments.reversed()] {
              var output = poisoned(expected.count)
              WindowAttention.apply(
                queries: q, tokens: test.tokens, firstPosition: first, layout: layout,
                segments: order, window: test.window, output: &output)
              #expect(relativeError(output, expected) < 3e-6, "\(set)")
            }
          }
        }
      }
    }

    /// A cap far above all scores changes nothing; one below them bends them.
    @Test(arguments: [1, 5, Int.max])
    func cappedScores(window: Int) {
      let layout = HeadLayout(heads: 4, kvHeads: 2, dimension: 12)
      var random = Random(15)
      let q = random.normals(9 * 48), k = random.normals(20 * 24), v = random.normals(20 * 24)
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          guard let k = k.baseAddress, let v = v.baseAddress else { return }
          let segments = [(0, 8), (8, 12)].map { first, count in
            KeyValueSegment(
              keys: k + first * 24, values: v + first * 24, firstPosition: first, count: count)
          }
          var expected = poisoned(9 * 48), output = expected, bent = expected
          WindowAttention.reference(
            queries: q, tokens: 9, firstPosition: 11, layout: layout, segments: segments,
            window: window, output: &expected)
          WindowAttention.applyCapped(
            queries: q, tokens: 9, firstPosition: 11, layout: layout, segments: segments,
            window: window, cap: 1e6, output: &output)
          #expect(relativeError(output, expected) < 1e-6)
          WindowAttention.applyCapped(
            queries: q, tokens: 9, firstPosition: 11, layout: layout, segments: segments,
            window: window, cap: 0.1, output: &bent)
          #expect((relativeError(bent, expected) > 1e-2) == (window > 1))
        }
      }
    }

    /// A block of queries between which a segment comes and goes, and queries that see nothing.
    @Test func segmentInsideABlock() {
      let layout = HeadLayout(heads: 2, kvHeads: 1, dimension: 16)
      var random = Random(14)
      let q = random.normals(60 * 32), k = random.normals(3 * 16), v = random.normals(3 * 16)
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          guard let k = k.baseAddress, let v = v.baseAddress else { return }
          let segment = KeyValueSegment(keys: k, values: v, firstPosition: 30, count: 3)
          var expected = poisoned(60 * 32), output = expected
          WindowAttention.reference(
            queries: q, tokens: 60, firstPosition: 0, layout: layout, segments: [segment],
            window: 5, output: &expected)
          WindowAttention.apply(
            queries: q, tokens: 60, firstPosition: 0, layout: layout, segments: [segment],
            window: 5, output: &output)
          #expect(relativeError(output, expected) < 1e-6)
          #expect(output[..<(30 * 32)].allSatisfy { $0 == 0 })
        }
      }
    }
  }
}
