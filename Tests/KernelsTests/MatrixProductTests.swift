import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct MatrixProductTests {
    /// Every form on odd sizes with gaps between rows, on one thread and on several.
    @Test(arguments: MatrixProduct.Form.allCases)
    func matchesReference(form: MatrixProduct.Form) {
      for (m, n, k) in [
        (1, 1, 1), (3, 5, 7), (70, 33, 129), (1, 600, 300), (257, 301, 90), (300, 700, 33),
        (40, 50, 6000), (5, 3, 0),
      ] {
        var random = Random(UInt64(m * n + k))
        let aRows = form == .transposedLeft ? k : m, aColumns = form == .transposedLeft ? m : k
        let bRows = form == .transposedRight ? n : k, bColumns = form == .transposedRight ? k : n
        let a = random.normals(aRows * (aColumns + 3) + 1)
        let b = random.normals(bRows * (bColumns + 2) + 1)
        let old = random.normals(m * (n + 1))
        for adding in [false, true] {
          // What is not written must keep its value; what is must not depend on the old one.
          var start = old
          for r in 0..<m where !adding { for j in 0..<n { start[r * (n + 1) + j] = .nan } }
          var expected = start
          MatrixProduct.reference(
            form, a, aStride: aColumns + 3, b, bStride: bColumns + 2, m: m, n: n, k: k,
            adding: adding, into: &expected, cStride: n + 1)
          forEachThreadCount([1, 2, 5]) { count in
            var first: [Float]?
            for _ in 0..<2 {
              var c = start
              MatrixProduct.multiply(
                form, a, aStride: aColumns + 3, b, bStride: bColumns + 2, m: m, n: n, k: k,
                adding: adding, into: &c, cStride: n + 1)
              #expect(relativeError(c, expected) < 2e-6, "\(m) \(n) \(k) \(adding) \(count)")
              #expect((0..<m).allSatisfy { c[$0 * (n + 1) + n] == old[$0 * (n + 1) + n] })
              #expect(first == nil || first == c)
              first = c
            }
          }
        }
      }
    }

    @Test func splits() {
      #expect(MatrixSplit(m: 10, n: 10, k: 10, threads: 8) == MatrixSplit())
      #expect(MatrixSplit(m: 64, n: 64, k: 8192, threads: 4) == MatrixSplit(depth: 4))
      for threads in [1, 2, 3, 8, 64] {
        for (m, n, k) in [(2048, 576, 576), (576, 576, 2048), (20000, 1, 4096), (16, 30000, 999)] {
          let split = MatrixSplit(m: m, n: n, k: k, threads: threads)
          for (count, pieces) in [(m, split.rows), (n, split.columns), (k, split.depth)] {
            let ranges = (0..<pieces).map { MatrixSplit.range(count, $0, of: pieces) }
            #expect(ranges.allSatisfy { !$0.isEmpty })
            #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == count)
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
          }
        }
      }
    }
  }
}
