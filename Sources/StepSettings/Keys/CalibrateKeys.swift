public import Architectures
public import Foundations
import TensorTypes

/// What `calibrate` may be told.
public typealias CalibrateSettings = Settings<CalibrateKeys>

/// The settings of `calibrate`; the defaults are k = 3 everywhere, as in the paper.
public struct CalibrateKeys: SettingKeys {
  /// Calibration texts, in order.
  public let text = Setting.texts("Calibration texts.", isRequired: true)
  /// Pieces of the texts that are read, spread evenly over them.
  public let samples = Setting(
    "samples", 128, in: 1...1 << 20, "Pieces of the texts to read, spread evenly.")
  /// Tokens of a piece; each is read from an empty state.
  public let context = Setting.context(512, "Tokens of a piece; at most 512 for the best k.")
  /// Where k comes from.
  public let k = Setting(
    "k", SpikeThreshold.fixed(3),
    """
    Spikes of a channel as large as the mean: a number for all projections, auto, or none to leave \
    them as they are.
    """, allowed: \.isInRange)
  /// With `auto`: the least sparsity (own-length); nil for none.
  public let targetSparsity = Setting<Double?>(
    "target-sparsity", none: "none",
    "With --k auto: least share of cells without a spike (own-length).",
    expected: "more than 0 and less than 1", valueName: "share"
  ) { $0 > 0 && $0 < 1 }
  /// With `auto`: the largest increase of the perplexity in percent; nil for none.
  public let maxPerplexityIncrease = Setting<Double?>(
    "max-ppl-increase", none: "none",
    "With --k auto: largest increase of the perplexity on the samples.",
    expected: "more than 0, to 1000 (percent)", valueName: "percent"
  ) { $0 > 0 && $0 <= 1000 }
  /// The coding that the checkpoint names.
  public let coding = Setting("coding", SpikingSettings.Coding.bitwise, "The coding to name.")
  /// Where the k of rotated queries comes from: `auto` only where that of projections does. Unless
  /// it is said, k = 3 as in the paper where k is fixed for projections, and else as theirs.
  public let queryK = Setting(
    "query-k", from: "k", { ($0 ?? SpikeThreshold.fixed(3)).ofQueries },
    "k of the rotated queries of softmax attention: a number, auto (only with --k auto) or none.",
    shownDefault: "3, with --k auto or none the same", allowed: \.isInRange)
  /// What softmax layers keep keys and values as.
  public let cache = Setting(
    "kv", SpikingSettings.Cache.float32,
    "What softmax layers keep keys and values as: none (float32) or int8.", shownDefault: "none")
  /// The share of the channels that every down_proj reads; nil for all.
  public let winners = Setting<Double?>(
    "winners", none: "none",
    "Keep only this share of the channels that down_proj reads, those with the largest magnitudes.",
    expected: "none or more than 0, at most 1", valueName: "share"
  ) { $0 > 0 && $0 <= 1 }
  /// How weights are rounded to integers.
  public let rounding = QuantizationKeys()
  /// How calibration.h5 is compressed.
  public let compression = Setting(
    "compression", HDF5Compression.deflate,
    "Compression of calibration.h5: deflate, or zstd (filter 32015).")
  /// The element type of the output.
  public let dtype = Setting.dtype
  /// Most bytes of tensors in one file.
  public let shardSize = Setting.shardSize

  /// The declarations.
  public static let keys = CalibrateKeys()

  public static let rules: [SettingRule<CalibrateKeys>] = [
    SettingRule(\.k, "something beside it: weights int8 or int4, kv int8, winners or query-k") {
      $0.k != .kept || $0.queryK != .kept || $0.cache != .float32 || $0.winners != nil
        || $0.weights != nil
    },
    SettingRule(\.queryK, "a number or none, unless k is auto too") {
      $0.k == .auto || $0.queryK != .auto
    },
    SettingRule(\.targetSparsity, "none unless k is auto") {
      $0.k == .auto || $0.targetSparsity == nil
    },
    SettingRule(\.maxPerplexityIncrease, "none unless k is auto") {
      $0.k == .auto || $0.maxPerplexityIncrease == nil
    },
    SettingRule(\.targetSparsity, "not together with max-ppl-increase") {
      $0.targetSparsity == nil || $0.maxPerplexityIncrease == nil
    },
    onlyWithCodes(\.rounding.groupSize), onlyWithCodes(\.rounding.rounding),
    onlyWithCodes(\.rounding.compareRoundings),
  ]

  private static func onlyWithCodes<Value>(
    _ path: any KeyPath<CalibrateKeys, Setting<Value>> & Sendable
  ) -> SettingRule<CalibrateKeys> {
    SettingRule(path, "only with weights int8 or int4") { $0.weights != nil || !$0.isGiven(path) }
  }
}

extension CalibrateSettings {
  /// How weights are rounded to integers; nil when they stay as they are.
  public var weights: QuantizationSettings? {
    get {
      guard let codes = self.rounding.weights.codes else { return nil }
      var settings = QuantizationSettings()
      settings.rounding = self.rounding.rounding
      settings.quantization = WeightQuantization(codes, self.rounding.groupSize)
      settings.comparing = self.rounding.compareRoundings
      return settings
    }
    set {
      self.rounding.weights =
        newValue.flatMap { WeightForm(rawValue: $0.quantization.codes.rawValue) } ?? .kept
      guard let newValue else { return }
      self.rounding.rounding = newValue.rounding
      self.rounding.groupSize = newValue.quantization.granularity
      self.rounding.compareRoundings = newValue.comparing
    }
  }
}

/// Where the k of spiking thresholds comes from.
public enum SpikeThreshold: Sendable, Equatable, SettingValue, CustomStringConvertible {
  /// The same everywhere.
  case fixed(Double)
  /// Measured: more where spiking hurts more.
  case auto
  /// The checkpoint's own, if it has any.
  case kept

  public init?(spelling: String) {
    switch spelling {
    case "auto": self = .auto
    case "none": self = .kept
    default:
      guard let k = Double(spelling: spelling) else { return nil }
      self = .fixed(k)
    }
  }

  public var spelling: String {
    switch self {
    case .fixed(let k): "\(k)"
    case .auto: "auto"
    case .kept: "none"
    }
  }

  public var description: String { spelling }

  public static let expected = "auto, none or 1/1024 to 1024"

  /// What rotated queries get unless it is said: k = 3, as in the paper, where it is fixed for
  /// projections.
  public var ofQueries: SpikeThreshold { if case .fixed = self { .fixed(3) } else { self } }

  /// The k, where it is fixed.
  public var value: Double? { if case .fixed(let k) = self { k } else { nil } }

  var isInRange: Bool { value.map(SpikingSettings.thresholdRange.contains) ?? true }
}

/// Compressions of HDF5 datasets.
public enum HDF5Compression: String, Sendable, CaseIterable, SettingValue {
  /// Known to every HDF5 library.
  case deflate
  /// Registered filter 32015, which readers need a plugin for.
  case zstd
}

extension SpikingSettings.Coding: SettingValue {}

extension SpikingSettings.Cache: SettingValue {
  public init?(spelling: String) {
    self.init(rawValue: spelling == "none" ? Self.float32.rawValue : spelling)
  }

  public static let expected = "none or int8"
}
