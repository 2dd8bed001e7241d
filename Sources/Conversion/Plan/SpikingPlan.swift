public import Architectures
import Checkpoints
import ModelFiles
public import StepSettings
public import StrictJSON
import TensorTypes

/// A checkpoint whose activations are spiked: what `calibrate` writes. Its tensors are those of the
/// checkpoint that was measured, in our own layout, whose configuration holds every k.
public enum SpikingPlan {
  /// The plan of giving `source` the settings `spiking`; nil leaves its own.
  ///
  /// - Parameter record: what else the manifest records of the measurement.
  public static func make(
    from source: DenseModel, spiking: SpikingSettings?, settings: CalibrateSettings,
    record: JSONObject = JSONObject()
  ) throws -> CheckpointPlan {
    var recipe = JSONObject(step: .calibrate, settings: settings.fields).merging(record)
    recipe["spiking"] = spiking?.configuration
    var plan = try LayoutPlan.make(
      from: source, spiking: spiking, dtype: settings.dtype, recipe: recipe,
      shardSize: settings.shardSize)
    plan.notes += notes(source, plan.tensors)
    return plan
  }

  /// The same plan from the settings that a manifest, `file`, recorded.
  public static func make(
    from source: DenseModel, recorded: JSONObject?, settings: CalibrateSettings, file: String
  ) throws -> CheckpointPlan {
    if recorded == nil, settings.k != .kept {
      throw ConfigurationError.missingKey("spiking", file: file)
    }
    let spiking = try recorded.map {
      try SpikingSettings(Configuration($0, file: file), of: source.description)
    }
    return try make(from: source, spiking: spiking, settings: settings)
  }

  private static func notes(
    _ source: DenseModel, _ tensors: [CheckpointPlan.PlannedTensor]
  ) -> [String] {
    var notes = [
      "Written in the spikingbrain layout, which the public SpikingBrain-7B code cannot load; the "
        + "public layout cannot hold spiking thresholds or weights as integers."
    ]
    let quantised = source.parts.values.count { $0.type.isQuantised }
    if quantised > 0, let type = tensors.first?.type, type != .float32 {
      notes.append(
        "Quantised tensors (\(quantised)) are rounded to \(type.rawValue); --dtype float32 keeps "
          + "their exact values.")
    }
    return notes
  }
}
