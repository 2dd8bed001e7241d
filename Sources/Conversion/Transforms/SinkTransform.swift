public import Checkpoints
import Foundations
import Kernels
import StrictJSON
public import TensorTypes

/// Sink tokens: the first is the row of the source's embedding whose token attention goes to when
/// there is nothing to attend to, the others are rows drawn at random, all with small seeded noise.
///
/// n copies of the first would count n times in every softmax, which adds log n to its score; other
/// tokens see it, as those of a text do, and take little attention themselves.
public struct SinkTransform: TensorTransform {
  let embedding: TensorView
  let source: String
  let token: Int
  let count: Int
  let noise: Double
  let seed: UInt64
  let type: ScalarType

  /// `count` sinks, the first from row `token` of `embedding`.
  ///
  /// - Parameter noise: half the width of the uniform noise, relative to the row's root mean
  ///   square. Fewer sinks of the same seed are the first ones of more.
  public init(
    _ embedding: TensorView, named source: String, token: Int, count: Int, noise: Double,
    seed: UInt64, as type: ScalarType
  ) {
    self.embedding = embedding
    self.source = source
    self.token = token
    self.count = count
    self.noise = noise
    self.seed = seed
    self.type = type
  }

  public var sources: [String] { [source] }
  public var record: TransformRecord {
    var record = TransformRecord(
      "sinks",
      [
        ("row", .int(token)), ("random_rows", .int(max(0, count - 1))), ("noise", .double(noise)),
        ("seed", .number("\(seed)")),
      ])
    record.read(embedding, as: type)
    return record
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let width = embedding.columns
    var row = [Float](repeating: 0, count: width)
    var generator = SplitMix64(seed: seed, label: "sinks")
    for index in 0..<count {
      let token = index == 0 ? token : Int(generator.unit() * Double(embedding.rows))
      RowDecoder.decode(embedding, rows: token..<token + 1, into: &row)
      let square = row.reduce(0.0) { $0 + Double($1) * Double($1) }
      let bound = noise * (square / Double(max(width, 1))).squareRoot()
      try row.map { $0 + generator.symmetric(bound) }.encode(as: type, into: sink)
    }
  }
}
