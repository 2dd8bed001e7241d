public import Checkpoints
import Foundations
import StrictJSON
public import TensorTypes

/// Seeded uniform random values in [-bound, bound).
public struct UniformTransform: TensorTransform {
  let bound: Double
  let seed: UInt64
  let label: String
  let count: Int
  let type: ScalarType
  let offset: Float

  /// `shape` filled with values that `seed` and `label` determine, around `offset`.
  public init(
    bound: Double, seed: UInt64, label: String, shape: Shape, as type: ScalarType,
    offset: Float = 0
  ) {
    self.bound = bound
    self.seed = seed
    self.label = label
    self.count = shape.elementCount ?? 0
    self.type = type
    self.offset = offset
  }

  public var record: TransformRecord {
    TransformRecord(
      "uniform",
      [
        ("within", .double(bound)), ("around", .float(offset)), ("seed", .number("\(seed)")),
        ("label", .string(label)),
      ])
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let perBlock = max(1, min(count, block / (4 + type.blockBytes)))
    var generator = SplitMix64(seed: seed, label: label)
    for start in stride(from: 0, to: count, by: perBlock) {
      try (start..<min(start + perBlock, count))
        .map { _ in offset + generator.symmetric(bound) }.encode(as: type, into: sink)
    }
  }
}
