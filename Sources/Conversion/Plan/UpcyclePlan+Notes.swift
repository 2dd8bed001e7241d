import Architectures
import Checkpoints
import Foundation
import StepSettings
import TensorTypes

extension UpcyclePlan {
  /// What a user should know about the result.
  static func notes(
    _ target: ModelDescription, _ settings: UpcycleSettings,
    _ tensors: [CheckpointPlan.PlannedTensor]
  ) -> [String] {
    let beginning =
      switch settings.router {
      case _ where settings.carve != nil: carved(target)
      case .zero:
        "The routers are zero and carry no knowledge: tokens are spread evenly by id and position, "
          + copies
      case .random: "The routers are random and carry no knowledge, " + copies
      case .clustered:
        tensors.contains { $0.transform.record.computation == .refitted }
          ? "The experts are refitted to the regions that the routers send them."
          : "The routers know regions of the text, " + copies
      }
    var notes = [beginning]
    if settings.scale == .cuberoot {
      notes.append(
        "gate, up and down are scaled by the cube root, as in the report: SiLU makes the result "
          + "approximate. --scale exact changes nothing.")
    }
    if target.spiking != nil {
      notes.append(
        "The spiking thresholds are those of the dense model, which every expert uses as its own; "
          + "`calibrate` measures the experts' own.")
    }
    let scaled = tensors.filter { $0.transform.record.kind == .scaled }.map(\.type)
    if let type = scaled.first(where: { $0 != .float32 }) {
      notes.append(
        "Scaled weights are rounded to \(type.rawValue); --dtype float32 keeps them to 1e-7.")
    }
    return notes
  }

  private static func carved(_ target: ModelDescription) -> String {
    let active = target.layers.compactMap(\.feedForward.experts).first?.activeSize ?? 0
    let share = 100 * Double(active) / Double(max(1, target.feedForwardSize))
    return "A token passes through \(active) of the \(target.feedForwardSize) neurons of a carved "
      + "feed-forward part (\(Int(share.rounded())) %) and lacks the others: `evaluate` says what "
      + "that costs."
  }

  private static let copies =
    "and the experts are copies of each other. Until it is trained the model is worth no more than "
    + "the dense one."

  /// The real cube root.
  static func cubeRoot(_ value: Double) -> Double { cbrt(value) }
}
