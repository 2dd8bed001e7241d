import Foundation
import Foundations
import Kernels
import TensorTypes

/// How far two tensors are from each other.
struct TensorDistance {
  /// What they have in common.
  enum Kind: String {
    /// They are stored alike.
    case sameBytes
    /// They are stored otherwise and mean the same numbers.
    case sameValues
    /// One is the other, rounded to its type.
    case sameAfterCast
    case different
  }

  let name: String
  let kind: Kind
  /// Their types and shapes.
  let types: (a: ScalarType, b: ScalarType)
  let shapes: (a: Shape, b: Shape)
  /// The largest difference of two elements; infinite where the shapes differ, or where one holds
  /// NaN and the other does not.
  let largest: Double
  /// The same by the largest element of both: a first one of zeros has a distance, too.
  let relative: Double

  /// Elements that are compared at a time.
  private static let block = 1 << 20

  /// Compares `a` and `b`, some rows at a time.
  init(_ name: String, _ a: TensorView, _ b: TensorView) {
    self.name = name
    types = (a.type, b.type)
    shapes = (a.shape, b.shape)
    guard a.shape == b.shape else {
      kind = .different
      largest = .infinity
      relative = .infinity
      return
    }
    let isStoredAlike = a.type == b.type && a.rowOrder == b.rowOrder && !a.isAltered && !b.isAltered
    if isStoredAlike, Self.haveSameBytes(a, b) {
      kind = .sameBytes
      largest = 0
      relative = 0
      return
    }
    // The narrower of two floating-point types, to which the other one's numbers are rounded.
    let narrow = [a.type, b.type].filter(\.isFloat).min { $0.blockBytes < $1.blockBytes }
    let isCast = a.type != b.type && a.type.isFloat && b.type.isFloat
    var sums = Sums()
    let step = max(1, Self.block / max(1, a.columns))
    for first in stride(from: 0, to: a.rows, by: step) {
      let rows = first..<min(first + step, a.rows)
      let x = FloatMatrix(decoding: a, rows: rows), y = FloatMatrix(decoding: b, rows: rows)
      sums.add(x, y)
      if isCast, let narrow { sums.addCast(x, y, to: narrow) }
    }
    largest = sums.largest
    relative = sums.largest == 0 ? 0 : sums.largest / max(sums.scale, .leastNormalMagnitude)
    kind = largest == 0 ? .sameValues : isCast && sums.isSameAfterCast ? .sameAfterCast : .different
  }

  private static func haveSameBytes(_ a: TensorView, _ b: TensorView) -> Bool {
    guard a.bytes.count == b.bytes.count else { return false }
    guard let x = a.bytes.baseAddress, let y = b.bytes.baseAddress else { return true }
    return memcmp(x, y, a.bytes.count) == 0
  }

  private struct Sums {
    var largest = 0.0
    var scale = 0.0
    var isSameAfterCast = true

    mutating func add(_ x: FloatMatrix, _ y: FloatMatrix) {
      withExtendedLifetime((x, y)) {
        let x = x.elements, y = y.elements
        var distance: Float = 0, top: Float = 0
        for index in x.indices {
          let one = x[index], other = y[index]
          top = max(top, one.isFinite ? abs(one) : 0, other.isFinite ? abs(other) : 0)
          guard one != other else { continue }
          let apart = abs(one - other)
          // Two that are no numbers are alike; one is at no distance from the other.
          distance =
            apart.isNaN ? (one.isNaN && other.isNaN ? distance : .infinity) : max(distance, apart)
        }
        largest = max(largest, Double(distance))
        scale = max(scale, Double(top))
      }
    }

    mutating func addCast(_ x: FloatMatrix, _ y: FloatMatrix, to type: ScalarType) {
      guard isSameAfterCast else { return }
      func cast(_ matrix: FloatMatrix) -> [UInt8] {
        withExtendedLifetime(matrix) {
          [UInt8](unsafeUninitializedCapacity: matrix.count * type.blockBytes) { bytes, count in
            count = bytes.count
            guard let values = matrix.elements.baseAddress, let start = bytes.baseAddress else {
              return
            }
            FloatCast.encode(values, count: matrix.count, as: type, into: start)
          }
        }
      }
      isSameAfterCast = cast(x) == cast(y)
    }
  }
}
