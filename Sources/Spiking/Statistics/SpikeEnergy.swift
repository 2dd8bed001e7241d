public import Architectures
import Runtime
import TensorTypes

/// The report's estimate of the energy of a model's projections (section 5.5): what a token's
/// multiplications cost, and what additions cost in their place, one per spike and weight.
public struct SpikeEnergy: Sendable {
  /// Energies of one operation in a 45 nm process, in pJ.
  public static let halfPrecisionMAC = 1.5, int8MAC = 0.23, int8Addition = 0.03

  /// What one channel costs per weight that reads it, in pJ.
  public static func perChannel(spikes: Double) -> Double { spikes * int8Addition }

  /// The saving against an operation of `energy` pJ: 0.9 when a tenth is left.
  public static func saving(spikes: Double, against energy: Double) -> Double {
    1 - perChannel(spikes: spikes) / energy
  }

  /// The projections of one layer, for one token in the mean.
  public struct Layer: Sendable {
    /// The layer.
    public var layer: Int
    /// Multiplications with weights.
    public var products = 0.0
    /// Additions of weights: spikes per channel times weights that read it.
    public var additions = 0.0
  }

  /// The layers, in order.
  public let layers: [Layer]

  /// Multiplications of the output head for one token, which reads no spikes.
  public let headProducts: Double

  /// All layers together.
  public var total: Layer {
    layers.reduce(into: Layer(layer: layers.count)) {
      $0.products += $1.products
      $0.additions += $1.additions
    }
  }

  /// Estimates `model` with the spikes of `record`; a routed expert counts by its share of the
  /// tokens, and what is not spiked is left out.
  public init(of model: ModelDescription, record: CalibrationRecord) {
    headProducts = Double(model.vocabularySize * model.hiddenSize)
    let weights = model.requirements.reduce(into: [SpikingSite: Double]()) { sizes, requirement in
      let address = requirement.address
      guard let layer = address.layer, let projection = requirement.projection else { return }
      let site = SpikingSite(layer: layer, projection, expert: address.expert)
      sizes[site] = Double(requirement.shape.elementCount ?? 0)
    }
    var tokens: [Int: Int] = [:]
    for row in record.rows where row.site.projection == .query {
      tokens[row.site.layer] = row.statistics.rows
    }
    var found: [Int: Layer] = [:]
    for row in record.rows {
      guard let size = weights[row.site], row.statistics.channels > 0,
        let all = tokens[row.site.layer], all > 0
      else { continue }
      let products = size * Double(row.statistics.rows) / Double(all)
      var layer = found[row.site.layer] ?? Layer(layer: row.site.layer)
      layer.products += products
      layer.additions += products * row.statistics.spikesPerChannel(.bitwise)
      found[row.site.layer] = layer
    }
    layers = found.values.sorted { $0.layer < $1.layer }
  }
}
