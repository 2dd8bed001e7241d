import Checkpoints
import Foundations
import Healing
import ModelFiles
import Streams

/// What the manifest of a healed checkpoint says of its healings.
enum HealingSummary {
  /// One line per stage of each healing, the earliest first; empty when there was none. Throws when
  /// the manifest cannot be read.
  static func lines(of file: ModelFile) throws(CheckpointError) -> [String] {
    try file.history(.quick).steps.flatMap { step in
      guard step.name == .heal, let found = step.json.record(HealRecord.self) else {
        return [String]()
      }
      return [firstStage(found.layers), found.distillation.map(secondStage)].compactMap(\.self)
    }
  }

  private static func firstStage(_ layers: [Healer.LayerReport]) -> String? {
    let errors = layers.compactMap { layer in layer.after.map { (layer: layer.layer, value: $0) } }
    let sinks = layers.compactMap { layer in layer.sink.map { (layer: layer.layer, value: $0) } }
    guard let worst = errors.max(by: { $0.value < $1.value }),
      let sink = sinks.max(by: { abs($0.value - 1) < abs($1.value - 1) })
    else { return nil }
    let mean = errors.reduce(0) { $0 + $1.value } / Double(errors.count)
    let drift = layers.compactMap(\.drift).last ?? 0
    return "\(counted(errors.count, "layer")), error \(fixed(mean, 3)) (layer \(worst.layer): "
      + "\(fixed(worst.value, 3))), drift \(fixed(drift, 3)) at the end, "
      + "attention sink \(fixed(sink.value, 3)) of the source's at worst (after layer \(sink.layer))"
  }

  private static func secondStage(_ stage: Healer.DistillReport) -> String {
    "end to end, \(counted(stage.steps, "step")), held-out divergence \(fixed(stage.before, 4)) -> "
      + fixed(stage.after, 4) + (stage.kept ? "" : ", left out")
  }
}
