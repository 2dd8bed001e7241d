import Checkpoints
import Foundations
import ModelFiles
import Spiking
import StrictJSON

/// What `calibrate` measured, as manifests record it under `measured` and the command line prints it with
/// `--json`. Shares and means are rounded to what a sample knows of them.
struct SpikingRecord: Codable, Equatable {
  /// What the counts of all groups are; nil where k was kept, so that nothing was counted.
  var channels: Int?
  var silentShare: Double?
  /// In bitwise coding.
  var spikesPerChannel: Double?
  /// The share of channels with |s| <= 7.
  var shareUpTo7: Double?
  var largestCount: Int?
  /// By each definition of `Sparsity`.
  var sparsityOfThreeSteps: Double?
  var sparsityOfOwnLength: Double?
  var sparsityOfFixed: Double?
  /// On some of the samples.
  var perplexityUnspiked: Double
  var perplexitySpiked: Double
  /// KL(unspiked ‖ spiked) in nats per token; errors are nil where one token says nothing of them.
  var divergence: Double
  var divergenceError: Double?
  var increaseError: Double?
  /// Experts that no token was sent to; nil where nothing was counted.
  var idleExperts: [String]?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case channels
    case silentShare = "silent_share"
    case spikesPerChannel = "spikes_per_channel"
    case shareUpTo7 = "share_up_to_7"
    case largestCount = "largest_count"
    case sparsityOfThreeSteps = "sparsity_three_steps"
    case sparsityOfOwnLength = "sparsity_own_length"
    case sparsityOfFixed = "sparsity_fixed"
    case perplexityUnspiked = "perplexity_unspiked"
    case perplexitySpiked = "perplexity_spiked"
    case divergence = "kl"
    case divergenceError = "kl_standard_error"
    case increaseError = "nll_increase_standard_error"
    case idleExperts = "idle_experts"
  }

  static let key = "measured"
}

extension SpikingRecord {
  /// What spiking costs.
  init(_ cost: SpikingCost) {
    perplexityUnspiked = recorded(cost.perplexity.unspiked, places: 4)
    perplexitySpiked = recorded(cost.perplexity.spiked, places: 4)
    divergence = recorded(cost.divergence.mean, places: 5)
    if cost.divergence.standardError.isFinite {
      divergenceError = recorded(cost.divergence.standardError, places: 5)
      increaseError = recorded(cost.increase.standardError, places: 5)
    }
  }

  /// What was counted, and what spiking costs.
  init(_ result: SpikeCalibration.Result) {
    self.init(result.cost)
    let total = result.total
    channels = total.channels
    silentShare = recorded(total.silentShare, places: 5)
    spikesPerChannel = recorded(total.spikesPerChannel(.bitwise), places: 5)
    shareUpTo7 = recorded(total.share(upTo: 7), places: 5)
    largestCount = total.maximum
    sparsityOfThreeSteps = recorded(total.sparsity(.threeSteps), places: 5)
    sparsityOfOwnLength = recorded(total.sparsity(.ownLength), places: 5)
    sparsityOfFixed = recorded(total.sparsity(.fixed), places: 5)
    idleExperts = result.idleExperts
  }

  /// As a manifest holds it.
  func json() throws -> JSONObject {
    try JSONObject(recording: self, order: CodingKeys.allCases.map(\.rawValue))
  }

  /// What the last calibration of a checkpoint measured; nil when none did. Throws when the manifest
  /// cannot be read.
  init?(of file: ModelFile) throws(CheckpointError) {
    let calibrated = try file.history(.quick).steps.last { $0.name == .calibrate }
    guard let found = calibrated?.found(Self.key, Self.self) else { return nil }
    self = found
  }

  /// One line for people.
  var text: String {
    let error = divergenceError.map { " ± \(fixed($0, 4))" } ?? ""
    let parts = [
      "KL \(fixed(divergence, 4))\(error) nats per token from the unspiked model",
      spikesPerChannel.map { "\(fixed($0, 3)) spikes per channel" },
      silentShare.map { "\(fixed(100 * $0, 1))% silent" },
    ]
    return parts.compactMap(\.self).joined(separator: ", ")
  }
}
