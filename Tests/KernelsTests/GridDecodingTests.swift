import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Weights that stand for the nearest multiples of their scales.
  @Suite struct GridDecodingTests {
    /// A weight [rows, columns], its scales, and the values it stands for.
    private struct Gridded {
      var view: TensorView
      var expected: [Float]

      init(rows: Int, columns: Int, group: Int) {
        var random = Random(UInt64(rows * columns))
        let weights = random.normals(rows * columns), groups = (columns + group - 1) / group
        let scales = random.normals(rows * groups).map { 0.001 + $0.magnitude / 100 }
        view = MemoryStorage.view(weights, shape: [rows, columns]).rounded(
          to: ScaleGrid(
            scales: MemoryStorage.view(scales, shape: [rows, groups]), groupSize: group))
        expected = weights.indices.map { index in
          let scale = scales[index / columns * groups + index % columns / group]
          return (weights[index] / scale).rounded(.toNearestOrEven) * scale
        }
      }
    }

    @Test(arguments: [(1, 1, 1), (3, 7, 7), (5, 130, 128), (2, 257, 16), (4, 48, 16)])
    func `decode to multiples, never clamped`(_ rows: Int, _ columns: Int, _ group: Int) {
      let gridded = Gridded(rows: rows, columns: columns, group: group)
      forEachInstructionSet { set in
        var output = poisoned(rows * columns)
        RowDecoder.decode(gridded.view, rows: 0..<rows, into: &output)
        #expect(output == gridded.expected, "\(set)")
        // Some rows, of the whole and of a slice.
        var last = poisoned(columns)
        RowDecoder.decode(gridded.view, rows: rows - 1..<rows, into: &last)
        #expect(last == Array(gridded.expected.suffix(columns)))
        var sliced = poisoned(columns)
        RowDecoder.decode(
          gridded.view.slice(rows: rows - 1..<rows), rows: 0..<1, into: &sliced)
        #expect(sliced == last)
      }
    }

    @Test func `a type that values are rounded to comes after the grid`() {
      let gridded = Gridded(rows: 2, columns: 33, group: 33)
      var plain = poisoned(66), narrow = poisoned(66), wide = poisoned(66)
      RowDecoder.decode(
        MemoryStorage.view(gridded.expected, shape: [2, 33]).rounded(to: .bfloat16),
        rows: 0..<2, into: &plain)
      RowDecoder.decode(gridded.view.rounded(to: .bfloat16), rows: 0..<2, into: &narrow)
      RowDecoder.decode(
        gridded.view.rounded(to: .bfloat16).rounded(to: .float32), rows: 0..<2, into: &wide)
      #expect(narrow == plain && wide == plain && plain != gridded.expected)
    }

    @Test(arguments: [1, 100])
    func `linear layers and copies see the multiples`(_ tokens: Int) {
      let gridded = Gridded(rows: 19, columns: 130, group: 128)
      let plain = MemoryStorage.view(gridded.expected, shape: [19, 130])
      var random = Random(3)
      let x = random.normals(tokens * 130)
      var got = poisoned(tokens * 19), expected = poisoned(tokens * 19)
      Linear.apply(weight: gridded.view, input: x, tokens: tokens, output: &got)
      Linear.apply(weight: plain, input: x, tokens: tokens, output: &expected)
      let largest = expected.reduce(0) { max($0, $1.magnitude) }
      #expect(zip(got, expected).allSatisfy { ($0 - $1).magnitude <= 1e-5 * largest })
      var copy = poisoned(19 * 130)
      copy.withUnsafeMutableBytes {
        guard let start = $0.baseAddress else { return }
        RowTranscoder.transcode(gridded.view, rows: 0..<19, as: .float32, into: start)
      }
      #expect(copy == gridded.expected)
    }
  }
}
