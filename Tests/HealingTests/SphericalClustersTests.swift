import Foundations
import Kernels
import Runtime
import Testing

@testable import Healing

/// Clusters of directions, and routers made of them.
struct SphericalClustersTests {
  /// Three bundles of directions beside a strong common one, 40 vectors each, of any length.
  private static func bundles() -> (vectors: FloatMatrix, of: [Int]) {
    var generator = SplitMix64(seed: 11)
    let vectors = FloatMatrix(rows: 120, columns: 8)
    let bundles = (0..<120).map { $0 % 3 }
    for (row, bundle) in bundles.enumerated() {
      let length = Float(1 + 4 * generator.unit())
      for column in 0..<8 { vectors[row][column] = generator.symmetric(0.2) * length }
      vectors[row][7] += 3 * length
      vectors[row][bundle] += length
    }
    return (vectors, bundles)
  }

  private static func clusters(_ vectors: FloatMatrix, _ count: Int, seed: UInt64 = 5)
    -> SphericalClusters
  {
    var generator = SplitMix64(seed: seed)
    return SphericalClusters(of: vectors, count: count, generator: &generator)
  }

  @Test func `bundles become clusters`() {
    let (vectors, bundles) = Self.bundles()
    let directions = Self.clusters(vectors, 3).directions
    let nearest = FloatMatrix.product(vectors, transposed: directions).largestPlaces
    let names = (0..<3).map { nearest[$0] }
    #expect(Set(names).count == 3)
    #expect(nearest == bundles.map { names[$0] })
  }

  @Test func `directions are unit vectors, and the same for the same seed`() {
    let (vectors, _) = Self.bundles()
    let directions = Self.clusters(vectors, 4).directions
    for row in 0..<4 {
      #expect(abs(directions.rows(row..<row + 1).squaredNorm - 1) < 1e-5)
    }
    let again = Self.clusters(vectors, 4).directions
    #expect(Array(again.elements) == Array(directions.elements))
    withExtendedLifetime((directions, again)) {}
  }

  /// More clusters than different vectors: some stay empty, nothing breaks.
  @Test func `equal vectors`() {
    let vectors = FloatMatrix([Float](repeating: 1, count: 5 * 4), rows: 5)
    let directions = Self.clusters(vectors, 3).directions
    #expect(directions.elements.allSatisfy { $0.isFinite })
  }
}
