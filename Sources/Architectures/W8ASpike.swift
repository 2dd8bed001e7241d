import Mixers
import StrictJSON
public import TensorTypes

/// The public W8ASpike variant of the 7B layout: floating-point weights with scales beside them, both
/// fake-quantised when the public code runs; specified in `formats/w8aspike/README.md`.
public enum W8ASpike {
  /// What the name of a weight is followed by in the name of its scales.
  public static let scaleSuffix = "_quantizer.scales"
  /// Inputs that share a scale.
  public static let groupSize = 128
  /// The key that holds k; the public code knows it only as an argument.
  public static let thresholdKey = "dynamic_sfr"
  /// The k of the public code, also that of rotated queries.
  public static let defaultThreshold = 3.0

  /// The projections that have scales: all of them, the merged decay gate included.
  public static let roles: Set<TensorAddress.Role> = ModelDescription.quantizedRoles.union([
    .gateMerged
  ])

  /// Whether the weight of `role` is rounded to its scales: the fused kernel of down_proj takes it as
  /// it is.
  public static func rounds(_ role: TensorAddress.Role) -> Bool { role != .ffnDown }

  /// Why the variant cannot hold `model`: empty when it can.
  public static func obstacles(to model: ModelDescription) -> [String] {
    var plain = model.unspiked
    plain.quantization = nil
    for layer in plain.layers.indices where plain.layers[layer].mixer == .gatedLinear(.merged) {
      plain.layers[layer].mixer = .gatedLinear(.lowRank(GatedLinear.usualRank))
    }
    return GLASwa.obstacles(to: plain)
  }

  /// `model`, of the 7B layout, as the variant: decay gates merged, activations spiked.
  ///
  /// - Parameter k: of every projection but down_proj.
  public static func variant(of model: ModelDescription, k: Double) -> ModelDescription {
    var variant = model
    variant.modelType = GLASwa.modelType
    variant.quantization = nil
    for layer in variant.layers.indices where variant.layers[layer].mixer.form is GatedLinear {
      variant.layers[layer].mixer = .gatedLinear(.merged)
    }
    variant.spiking = spiking(variant, k: k)
    return variant
  }

  /// The k that a configuration gives.
  public static func threshold(_ config: Configuration) throws(ConfigurationError) -> Double {
    let k = try config.positive(thresholdKey, default: defaultThreshold)
    guard SpikingSettings.thresholdRange.contains(k) else {
      throw .outOfRange(
        key: thresholdKey, value: "\(k)", expected: "1/1024 to 1024", file: config.file)
    }
    return k
  }

  private static func spiking(_ model: ModelDescription, k: Double) -> SpikingSettings {
    SpikingSettings(
      cache: .int8,
      layers: model.layers.indices.map { layer in
        var thresholds = SpikingSettings.Thresholds()
        for site in model.spikingSites(ofLayer: layer) {
          switch site.projection {
          case .ffnDown: break
          case .rotatedQuery: thresholds[.rotatedQuery] = defaultThreshold
          default: thresholds[site.projection] = k
          }
        }
        return SpikingSettings.Layer(thresholds)
      })
  }
}
