import ModelFiles
import StrictJSON
import TensorTypes

/// What the manifest of a healed checkpoint says of its healings.
enum HealingSummary {
  /// One line per stage of each healing, the earliest first; empty when there was none.
  static func lines(of file: ModelFile) -> [String] {
    ((try? History(of: file))?.steps(named: "heal") ?? []).flatMap { step in
      [firstStage(step.record["layers"]?.array), secondStage(step.record)].compactMap(\.self)
    }
  }

  private static func firstStage(_ layers: [JSONValue]?) -> String? {
    let layers = layers ?? []
    func entries(_ key: String) -> [(layer: Int, value: Double)] {
      layers.compactMap { entry in
        guard let layer = entry["layer"]?.int, let value = entry[key]?.double else { return nil }
        return (layer, value)
      }
    }
    let errors = entries("error_after")
    guard let worst = errors.max(by: { $0.value < $1.value }),
      let sink = entries("sink").max(by: { abs($0.value - 1) < abs($1.value - 1) })
    else { return nil }
    let mean = errors.reduce(0) { $0 + $1.value } / Double(errors.count)
    return "\(counted(errors.count, "layer")), error \(fixed(mean, 3)) (layer \(worst.layer): "
      + "\(fixed(worst.value, 3))), drift \(fixed(entries("drift").last?.value ?? 0, 3)) at the end, "
      + "attention sink \(fixed(sink.value, 3)) of the source's at worst (after layer \(sink.layer))"
  }

  private static func secondStage(_ recipe: JSONValue) -> String? {
    guard let stage = recipe["distillation"], let steps = stage["steps"]?.int,
      let before = stage["kl_before"]?.double, let after = stage["kl_after"]?.double
    else { return nil }
    return "end to end, \(counted(steps, "step")), held-out divergence \(fixed(before, 4)) -> "
      + fixed(after, 4) + (after < before ? "" : ", left out")
  }
}
