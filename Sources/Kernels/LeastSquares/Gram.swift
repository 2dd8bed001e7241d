/// The sums of a weighted least-squares problem min over W of sum over t of ω_t |W φ_t - y_t|².
///
/// G = sum ω φ φᵀ and C = sum ω y φᵀ are all that a solution needs, so tokens are added in blocks
/// and forgotten. Products run in float32 over at most `blockRows` tokens, sums over blocks in
/// float64. The bits do not depend on the thread count.
public final class Gram {
  /// Channels of φ.
  public let features: Int
  /// Channels of y.
  public let targets: Int
  /// Rows added so far.
  public private(set) var rows = 0
  /// G [features, features], its upper triangle (column >= row); the rest is 0 or meaningless.
  public private(set) var matrix: [Double]
  /// C [targets, features], laid out as the weight W [out, in] of a linear layer.
  public private(set) var cross: [Double]
  /// sum ω |y|², for `squaredError`.
  public private(set) var targetSquares = 0.0

  /// Rows multiplied in float32 before their sum is added in float64.
  static let blockRows = 1024
  /// The side of a tile of G or C, the unit of work of a thread.
  static let tileSide = 256

  /// Empty sums for at least one feature; without targets, G alone.
  public init(features: Int, targets: Int) {
    precondition(features > 0 && targets >= 0)
    self.features = features
    self.targets = targets
    matrix = [Double](repeating: 0, count: features * features)
    cross = [Double](repeating: 0, count: targets * features)
  }

  /// G[i][j], from either triangle.
  public func element(_ i: Int, _ j: Int) -> Double { matrix[min(i, j) * features + max(i, j)] }

  /// Adds `rows` tokens.
  ///
  /// - Parameters:
  ///   - phi: φ [rows, features]; rows are `stride` floats apart (default: features).
  ///   - y: y [rows, targets]; rows are `targetStride` floats apart (default: targets).
  ///   - weights: ω [rows], >= 0; nil is ones.
  func add(
    _ phi: UnsafePointer<Float>, stride: Int? = nil, targets y: UnsafePointer<Float>,
    targetStride: Int? = nil, weights: UnsafePointer<Float>? = nil, rows: Int
  ) {
    let stride = stride ?? features, targetStride = targetStride ?? targets
    for first in Swift.stride(from: 0, to: rows, by: Self.blockRows) {
      let block = GramBlock(
        phi: phi + first * stride, stride: stride, y: y + first * targetStride,
        targetStride: targetStride, weights: weights.map { $0 + first },
        rows: min(Self.blockRows, rows - first), features: features, targets: targets)
      matrix.withUnsafeMutableBufferPointer { matrix in
        cross.withUnsafeMutableBufferPointer { cross in
          guard let matrix = matrix.baseAddress, let cross = cross.baseAddress else { return }
          block.add(matrix: matrix, cross: cross)
        }
      }
      targetSquares += block.targetSquares()
    }
    self.rows += rows
  }

  /// Lets `reduce` replace all sums, for example by those over several processes. It is given one
  /// array after the other, in the same order for problems of the same sizes.
  public func reduce(_ reduce: (UnsafeMutableBufferPointer<Double>) throws -> Void) rethrows {
    try matrix.withUnsafeMutableBufferPointer { try reduce($0) }
    try cross.withUnsafeMutableBufferPointer { try reduce($0) }
    var others = [targetSquares, Double(rows)]
    try others.withUnsafeMutableBufferPointer { try reduce($0) }
    targetSquares = others[0]
    rows = Int(others[1])
  }

  /// Adds the sums of another problem of the same sizes.
  public func add(_ other: Gram) {
    precondition(other.features == features && other.targets == targets)
    for i in matrix.indices { matrix[i] += other.matrix[i] }
    for i in cross.indices { cross[i] += other.cross[i] }
    targetSquares += other.targetSquares
    rows += other.rows
  }
}
