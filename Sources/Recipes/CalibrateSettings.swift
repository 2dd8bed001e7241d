public import Architectures
public import TensorTypes

/// What `calibrate` may be told, by a recipe or on the command line.
public struct CalibrateSettings: Sendable, Equatable {
  /// Calibration texts, in order.
  public var text: [String] = []
  /// Pieces of the texts that are read, spread evenly over them.
  public var samples = 128
  /// Tokens of a piece; each is read from an empty state.
  public var context = 512
  /// Where k comes from.
  public var k = Threshold.fixed(3)
  /// With `auto`: the least sparsity (own-length); nil for none.
  public var targetSparsity: Double?
  /// With `auto`: the largest increase of the perplexity in percent; nil for none.
  public var maxPerplexityIncrease: Double?
  /// The coding that the checkpoint names.
  public var coding = SpikingSettings.Coding.bitwise
  /// Where the k of rotated queries comes from: `auto` only where that of projections does.
  public var queryK = Threshold.fixed(3)
  /// What softmax layers keep keys and values as.
  public var cache = SpikingSettings.Cache.float32
  /// The share of the channels that every down_proj reads; nil for all.
  public var winners: Double?
  /// How weights are rounded to INT8; nil when they stay as they are.
  public var weights: QuantizationSettings?
  /// How calibration.h5 is compressed.
  public var compression = Compression.deflate
  /// The element type of the output.
  public var dtype = ConvertSettings.OutputType.keep
  /// Most bytes of tensors in one file.
  public var shardSize = ByteSize(5_000_000_000)

  /// The defaults: k = 3 everywhere, as in the report.
  public init() {}

  /// Where the k of projections comes from.
  public enum Threshold: Sendable, Equatable, CustomStringConvertible {
    /// The same everywhere.
    case fixed(Double)
    /// Measured: more where spiking hurts more.
    case auto
    /// The checkpoint's own, if it has any.
    case kept

    /// Parses `auto`, `none` or a number; nil for anything else.
    public init?(parsing text: String) {
      switch text {
      case "auto": self = .auto
      case "none": self = .kept
      default:
        guard let k = Double(text), k.isFinite else { return nil }
        self = .fixed(k)
      }
    }

    /// `auto`, `none` or the number.
    public var description: String {
      switch self {
      case .fixed(let k): "\(k)"
      case .auto: "auto"
      case .kept: "none"
      }
    }

    /// What rotated queries get unless it is said: k = 3, as in the report, where it is fixed for
    /// projections.
    public var queryK: Threshold {
      if case .fixed = self { .fixed(3) } else { self }
    }

    /// The k, where it is fixed.
    public var value: Double? {
      if case .fixed(let k) = self { k } else { nil }
    }
  }

  /// Compressions of HDF5 datasets.
  public enum Compression: String, Sendable, CaseIterable {
    /// Known to every HDF5 library.
    case deflate
    /// Registered filter 32015, which readers need a plugin for.
    case zstd
  }

  /// What determines the output, key by key in a fixed order.
  public var fields: [(key: String, value: String)] {
    [
      ("samples", "\(samples)"), ("context", "\(context)"), ("k", "\(k)"),
      ("target-sparsity", targetSparsity.map { "\($0)" } ?? "none"),
      ("max-ppl-increase", maxPerplexityIncrease.map { "\($0)" } ?? "none"),
      ("coding", coding.rawValue), ("query-k", "\(queryK)"),
      ("kv", cache.rawValue), ("winners", winners.map { "\($0)" } ?? "none"),
      ("compression", compression.rawValue), ("dtype", dtype.rawValue),
      ("shard-size", "\(shardSize.bytes)"),
    ] + (weights?.recipeFields ?? [])
  }
}

extension CalibrateSettings {
  /// The settings that `fields` recorded, for example in a manifest.
  public init(fields: [String: String], file: String) throws(RecipeError) {
    var reader = try RecipeReader(recorded: fields, file: file)
    try self.init(&reader)
    try reader.finish()
  }

  /// Throws when a value is out of range; `place` says where each key was given.
  public func validate(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    let range = SpikingSettings.thresholdRange
    func isK(_ k: Double?) -> Bool { k.map(range.contains) ?? true }
    let limits: [(isValid: Bool, key: String, value: String, expected: String)] = [
      ((1...1 << 20).contains(samples), "samples", "\(samples)", "1 to 1048576"),
      ((2...1 << 20).contains(context), "context", "\(context)", "2 to 1048576"),
      (isK(k.value), "k", "\(k)", "auto, none or 1/1024 to 1024"),
      (
        k != .kept || queryK != .kept || cache != .float32 || winners != nil || weights != nil, "k",
        "none", "something beside it: weights int8, kv int8, winners or query-k"
      ),
      (isK(queryK.value), "query-k", "\(queryK)", "auto, none or 1/1024 to 1024"),
      (k == .auto || queryK != .auto, "query-k", "auto", "a number or none, unless k is auto too"),
      (
        targetSparsity.map { $0 > 0 && $0 < 1 } ?? true, "target-sparsity",
        targetSparsity.map { "\($0)" } ?? "", "more than 0 and less than 1"
      ),
      (
        maxPerplexityIncrease.map { $0 > 0 && $0 <= 1000 } ?? true, "max-ppl-increase",
        maxPerplexityIncrease.map { "\($0)" } ?? "", "more than 0, to 1000 (percent)"
      ),
      (
        winners.map { $0 > 0 && $0 <= 1 } ?? true, "winners", winners.map { "\($0)" } ?? "",
        "none or more than 0, at most 1"
      ),
      (
        k == .auto || (targetSparsity == nil && maxPerplexityIncrease == nil), "k", "\(k)",
        "auto together with target-sparsity or max-ppl-increase"
      ),
      (
        targetSparsity == nil || maxPerplexityIncrease == nil, "target-sparsity",
        targetSparsity.map { "\($0)" } ?? "", "not together with max-ppl-increase"
      ),
      (shardSize.bytes > 0, "shard-size", "\(shardSize.bytes)", "a size like 5GB"),
    ]
    for limit in limits where !limit.isValid {
      throw .wrongValue(
        key: limit.key, value: limit.value, expected: limit.expected, place: place(limit.key))
    }
  }
}

extension CalibrateSettings: RecipeStep {
  static let key = "calibrate"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    func number(_ text: String) -> Double?? {
      if text == "none" { return .some(nil) }
      return Double(text).flatMap { $0.isFinite ? .some($0) : nil }
    }
    text = try reader.texts("text") ?? []
    samples = try reader.positive("samples", default: samples)
    context = try reader.positive("context", default: context)
    k = try reader.value("k", default: k, expected: "auto, none or a number") {
      Threshold(parsing: $0)
    }
    targetSparsity = try reader.value(
      "target-sparsity", default: targetSparsity, expected: "none or a share", parse: number)
    maxPerplexityIncrease = try reader.value(
      "max-ppl-increase", default: maxPerplexityIncrease, expected: "none or percent", parse: number
    )
    coding = try reader.value(
      "coding", default: coding, expected: SpikingSettings.Coding.choices
    ) { SpikingSettings.Coding(rawValue: $0) }
    queryK = try reader.value(
      "query-k", default: k.queryK, expected: "auto, none or a number"
    ) { Threshold(parsing: $0) }
    cache = try reader.value("kv", default: cache, expected: "none or int8") {
      switch $0 {
      case "none", "float32": .float32
      case "int8": .int8
      default: nil
      }
    }
    winners = try reader.value(
      "winners", default: winners, expected: "none or a share of the channels", parse: number)
    weights = try QuantizationSettings.read(&reader)
    compression = try reader.value(
      "compression", default: compression, expected: "deflate or zstd"
    ) { Compression(rawValue: $0) }
    dtype = try reader.value(
      "dtype", default: dtype, expected: ConvertSettings.OutputType.choices
    ) { ConvertSettings.OutputType(rawValue: $0) }
    shardSize = try reader.value("shard-size", default: shardSize, expected: "a size like 5GB") {
      ByteSize(parsing: $0)
    }
    let places = reader
    try validate(at: places.place)
  }
}
