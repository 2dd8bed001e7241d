import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct GatedLinearAttentionTests {
    static let layouts = [
      HeadLayout(heads: 3, kvHeads: 1, dimension: 24),
      HeadLayout(heads: 9, kvHeads: 3, dimension: 64),
      HeadLayout(heads: 4, kvHeads: 4, dimension: 32),
      HeadLayout(heads: 14, kvHeads: 2, keyDimension: 40, valueDimension: 72),
      HeadLayout(heads: 22, kvHeads: 2, keyDimension: 16, valueDimension: 9),
    ]

    /// Every form against the reference, from remembering everything to forgetting at once.
    @Test(arguments: layouts, [Float(0), 0.02, 1, 30, 1000])
    func formsAgree(layout: HeadLayout, decay: Float) {
      for tokens in [1, 2, 3, 15, 16, 17, 64, 131] {
        var random = Random(UInt64(tokens))
        let q = random.normals(tokens * layout.queryWidth).map { max($0, 0) }
        let k = random.normals(tokens * layout.keyWidth).map { max($0, 0) }
        let v = random.normals(tokens * layout.valueWidth)
        let g = random.normals(tokens * layout.keyWidth).map { -abs($0) * decay }
        let initial = random.normals(GatedLinearAttention.stateCount(layout))
        var expectedState = initial, expected = poisoned(tokens * layout.outputWidth)
        GatedLinearAttention.reference(
          queries: q, keys: k, values: v, logDecay: g, tokens: tokens, layout: layout,
          state: &expectedState, output: &expected)
        forEachInstructionSet { set in
          for form in GatedLinearAttentionForm.all {
            var state = initial, output = poisoned(expected.count)
            form.function(q, k, v, g, tokens, layout, &state, &output)
            let label = "\(form.name) \(set) \(tokens)"
            #expect(relativeError(output, expected) < 5e-6, "\(label)")
            #expect(relativeError(state, expectedState) < 5e-6, "\(label)")
          }
        }
      }
    }

    /// Feeding tokens in any pieces gives the same as all at once.
    @Test func piecesJoin() {
      let layout = HeadLayout(heads: 6, kvHeads: 2, dimension: 32), tokens = 100
      var random = Random(15)
      let q = random.normals(tokens * layout.queryWidth)
      let k = random.normals(tokens * layout.keyWidth)
      let v = random.normals(tokens * layout.valueWidth)
      let g = random.normals(tokens * layout.keyWidth).map { -abs($0) * 0.1 }
      for form in GatedLinearAttentionForm.all {
        var whole = [Float](repeating: 0, count: 2 * 32 * 32), expected = poisoned(tokens * 192)
        form.function(q, k, v, g, tokens, layout, &whole, &expected)
        var state = [Float](repeating: 0, count: 2 * 32 * 32), output: [Float] = []
        for (start, end) in [(0, 1), (1, 40), (40, 41), (41, 43), (43, 100)] {
          var part = poisoned((end - start) * 192)
          form.function(
            Array(q[(start * 192)...]), Array(k[(start * 64)...]), Array(v[(start * 64)...]),
            Array(g[(start * 64)...]), end - start, layout, &state, &part)
          output += part
        }
        #expect(relativeError(output, expected) < 2e-6, "\(form.name)")
        #expect(relativeError(state, whole) < 2e-6, "\(form.name)")
      }
    }
  }
}
