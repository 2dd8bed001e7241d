import Architectures
import Checkpoints
import Communication
import Conversion
import Exports
import Foundation
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes

/// Every tensor of a conversion holds exactly what its recipe makes of the source: copied tensors
/// byte for byte, new ones as the manifest says; and config.json describes the model it makes.
///
/// The conversion is planned again from the recorded settings, and each planned tensor is produced
/// and compared with the file instead of being written.
struct ProvenanceCheck {
  static let block = 4 << 20

  let converted: ModelFile
  let plan: CheckpointPlan
  /// Tensors that were computed on a text, and how; everything else must be as planned.
  var replaced: [String: Computation] = [:]
  /// Whether config.json must be the planned one key by key, those that this program does not read
  /// included.
  var comparesEveryKey = false
  /// The processes that share the files.
  var ranks = Communicator.single

  func run() throws -> CheckResult {
    if let difference = try configurationDifference() {
      return .failed("provenance", difference)
    }
    let parts = try ranks.all(ranks.together { try tally() })
    // What a single process would have met first.
    let faults = parts.compactMap(\.fault).sorted { $0.position < $1.position }
    if let fault = faults.first { return .failed("provenance", fault.text) }
    let computed = Dictionary(grouping: replaced.values, by: \.record.text).mapValues(\.count)
    let counts =
      Kind.allCases.map { kind in
        (parts.reduce(0) { $0 + $1.counts[kind, default: 0] }, kind.rawValue)
      }
      + computed.sorted { $0.key < $1.key }.map { ($0.value, $0.key) }
    return .passed(
      "provenance",
      counts.filter { $0.0 > 0 }.map { "\(counted($0.0, "tensor")) \($0.1)" }
        .joined(separator: ", ")
    )
  }

  /// How a tensor comes from the source.
  private enum Kind: String, Codable, CaseIterable {
    case copied = "copied byte for byte"
    case carved = "carved neuron by neuron, byte for byte"
    case cast = "cast exactly"
    case scaled = "scaled as recorded"
    case merged = "merged with the adapter as recorded"
    case derived = "computed from the source as recorded"
    case made = "new as recorded"

    init(_ transform: any TensorTransform) {
      let record = transform.record
      self =
        switch record.kind {
        case _ where transform.sources.isEmpty: .made
        case .copy where record.keepsValues: .copied
        case .cast: .cast
        case .assembled where !record.castTypes.isEmpty: .cast
        case .neurons where record.keepsValues: .carved
        case .scaled: .scaled
        case .merged: .merged
        default: .derived
        }
    }
  }

  /// What one process has found in its files.
  private struct Tally: Codable {
    var counts: [Kind: Int] = [:]
    /// What is wrong first, and the tensor's position in the plan.
    var fault: Fault?

    struct Fault: Codable {
      var position: Int
      var text: String
    }
  }

  private func tally() throws -> Tally {
    let shares = FileShares(of: converted.stored, ranks: ranks)
    var tally = Tally()
    for (position, planned) in plan.tensors.enumerated() where replaced[planned.name] == nil {
      let stored = converted.stored.tensor(named: planned.name)
      if let stored, !shares.isOwn(stored.file) { continue }
      if let text = try fault(planned, stored) {
        tally.fault = .init(position: position, text: text)
        return tally
      }
      tally.counts[Kind(planned.transform), default: 0] += 1
    }
    return tally
  }

  /// What is wrong with a tensor; nil when nothing is.
  private func fault(
    _ planned: CheckpointPlan.PlannedTensor, _ stored: StoredTensor?
  ) throws -> String? {
    guard let stored else { return "\(planned.name) is missing" }
    guard stored.type == planned.type, stored.shape == planned.shape else {
      return "\(planned.name) is \(stored.type.rawValue) \(stored.shape), the recipe makes "
        + "\(planned.type.rawValue) \(planned.shape)"
    }
    guard let offset = try firstDifference(planned, stored) else { return nil }
    let origin = planned.transform.sources.first.map { " of \($0)" } ?? ""
    return "\(planned.name) differs from what the recipe makes of the source at byte \(offset)"
      + " (\(planned.transform.record.text)\(origin))"
  }

  /// What config.json says differently from the recipe, if that makes it another model.
  private func configurationDifference() throws -> String? {
    if comparesEveryKey {
      return plan.configuration == converted.configuration.object
        ? nil : keyDifference(plan.configuration)
    }
    let planned = Configuration(plan.configuration, file: "the planned config.json")
    var expected = try Architectures.of(planned).describe(planned)
    // Quantised weights come after what the plan makes; `model_type` is then that of our own layout.
    if converted.description.quantization != nil {
      expected.quantization = converted.description.quantization
    }
    guard expected != converted.description else { return nil }
    func k(_ model: ModelDescription, _ site: SpikingSite) -> String {
      model.spiking?[site].map { "\($0)" } ?? "none"
    }
    func winners(_ model: ModelDescription) -> String {
      model.spiking?.winners.map { "\($0)" } ?? "all"
    }
    if winners(expected) != winners(converted.description) {
      return
        "config.json keeps \(winners(converted.description)) of the channels before down_proj, "
        + "the recipe \(winners(expected))"
    }
    let sites = expected.spikingSites
    if let site = sites.first(where: { k(expected, $0) != k(converted.description, $0) }) {
      return "config.json gives \(site.name) a k of \(k(converted.description, site)), the recipe "
        + "\(k(expected, site))"
    }
    return keyDifference(planned.object)
  }

  /// The first key that config.json does not have as planned.
  private func keyDifference(_ planned: JSONObject) -> String {
    let written = converted.configuration.object
    let key = Set(planned.keys).union(written.keys).sorted().first { planned[$0] != written[$0] }
    func text(_ object: JSONObject) -> String { object[key ?? ""]?.compact ?? "absent" }
    return "config.json describes another model than the recipe makes: \(key ?? "") is "
      + "\(text(written)), expected \(text(planned))"
  }

  /// The first byte where the file differs from what the transform produces.
  private func firstDifference(
    _ planned: CheckpointPlan.PlannedTensor, _ stored: StoredTensor
  ) throws -> Int? {
    let view = try converted.stored.view(stored.name)
    defer { view.discard() }
    var position = 0
    var difference: Int?
    try planned.transform.produce(block: Self.block) { bytes in
      defer { position += bytes.count }
      guard difference == nil else { return }
      guard position + bytes.count <= view.bytes.count else {
        difference = view.bytes.count
        return
      }
      let part = UnsafeRawBufferPointer(
        rebasing: view.bytes[position..<position + bytes.count])
      guard let left = bytes.baseAddress, let right = part.baseAddress else { return }
      if memcmp(left, right, bytes.count) != 0 {
        difference = position + (zip(bytes, part).enumerated().first { $1.0 != $1.1 }?.offset ?? 0)
      }
      view.storage.discard(part)
    }
    return difference ?? (position == view.bytes.count ? nil : position)
  }
}
