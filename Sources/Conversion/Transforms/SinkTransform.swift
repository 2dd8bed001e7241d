import Kernels
public import TensorTypes

/// Sink tokens: one row of the source's embedding, repeated, with small seeded noise so that
/// training can tell them apart.
public struct SinkTransform: TensorTransform {
  let embedding: TensorView
  let source: String
  let token: Int
  let count: Int
  let noise: Double
  let seed: UInt64
  let type: ScalarType

  /// `count` sinks from row `token` of `embedding`.
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
  public var summary: String { "row \(token), \(count) times, noise \(noise), seed \(seed)" }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let width = embedding.columns
    var row = [Float](repeating: 0, count: width)
    RowDecoder.decode(embedding, rows: token..<token + 1, into: &row)
    let square = row.reduce(0.0) { $0 + Double($1) * Double($1) }
    let bound = noise * (square / Double(max(width, 1))).squareRoot()
    var generator = SplitMix64(seed: seed, label: "sinks")
    let encoded = MemoryStorage(count: width * type.blockBytes)
    guard let target = encoded.bytes.baseAddress else { return }
    for _ in 0..<count {
      let noisy = row.map { $0 + generator.symmetric(bound) }
      FloatCast.encode(noisy, count: width, as: type, into: target)
      try sink(UnsafeRawBufferPointer(rebasing: encoded.bytes[..<(width * type.blockBytes)]))
    }
  }
}
