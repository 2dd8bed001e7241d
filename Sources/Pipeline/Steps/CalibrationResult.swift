import Architectures
import Foundation
import Foundations
import Spiking

extension SpikeCalibration.Result {
  /// The result in words.
  var text: String {
    let total = total
    var table = Table()
    func percent(_ share: Double) -> String { "\(fixed(100 * share, 2))%" }
    table.add("silent channels", percent(total.silentShare), "report: 18.4%")
    table.add(
      "spikes per channel", fixed(total.spikesPerChannel(.bitwise), 3),
      "bitwise; report: 1.13")
    table.add("|s| <= 7", percent(total.share(upTo: 7)), "report: 94.1%")
    table.add("largest count", "\(total.maximum)")
    for definition in Sparsity.allCases {
      table.add(
        "sparsity", percent(total.sparsity(definition)),
        definition.text + (definition == .ownLength ? "; report: 69.15% by no stated one" : ""))
    }
    cost.add(to: &table)
    if let ks = spiking.thresholds(of: { $0 != .rotatedQuery }) { table.add("k", ks) }
    if let ks = spiking.thresholds(of: { $0 == .rotatedQuery }) { table.add("k of queries", ks) }
    if !idleExperts.isEmpty {
      table.add("no tokens", idleExperts.joined(separator: ", "), "use their layer's k")
    }
    return table.text
  }
}

extension SpikingCost {
  /// The cost in words.
  var text: String {
    var table = Table()
    add(to: &table)
    return table.text
  }

  /// Adds the rows of the cost to a table.
  func add(to table: inout Table) {
    func error(_ value: Double, _ decimals: Int) -> String {
      value.isFinite ? " ± \(fixed(value, decimals))" : ""
    }
    table.add(
      "KL", fixed(divergence.mean, 4) + error(divergence.standardError, 4),
      "nats per token from the unspiked model, both with floating-point weights, on "
        + "\(counted(tokens, "token")) of the samples")
    let percent = 100 * (exp(increase.mean) - 1)
    table.add(
      "perplexity",
      "\(percent < 0 ? "" : "+")\(fixed(percent, 2))\(error(100 * increase.standardError, 2))%",
      "on the same few tokens; `evaluate` measures more")
  }
}
