public import Architectures
import ModelFiles
public import Recipes
public import StrictJSON
import TensorTypes

/// A checkpoint whose activations are spiked: what `calibrate` writes. Its tensors are those of the
/// checkpoint that was measured, in our own layout, whose configuration holds every k.
public enum SpikingPlan {
  /// The step that `calibrate` records in manifests.
  public static let step = "calibrate"

  /// The plan of giving `source` the settings `spiking`.
  ///
  /// - Parameter record: what else the manifest records of the measurement.
  public static func make(
    from source: DenseModel, spiking: SpikingSettings, settings: CalibrateSettings,
    record: JSONObject = JSONObject()
  ) throws -> CheckpointPlan {
    var target = source.description
    target.modelType = SpikingBrainLayout.modelType
    target.spiking = spiking
    let tensors = try target.requirements.map { requirement in
      guard let name = SpikingBrainLayout.names.name(of: requirement.address),
        let part = source.parts[requirement.address], let view = part.view
      else { throw ConversionError.noName("\(requirement.address)") }
      let type = outputType(part.type, settings.dtype)
      return CheckpointPlan.PlannedTensor(
        name: name, shape: requirement.shape, type: type,
        transform: CopyTransform(view, named: part.name, as: type))
    }
    var configuration = SpikingBrainLayout.configuration(of: target)
    configuration["torch_dtype"] = .string(tensors.first?.type.rawValue ?? "float32")
    var recipe = JSONObject([
      ("step", .string(step)),
      (
        "settings",
        .object(JSONObject(settings.fields.map { ($0.key, JSONValue.string($0.value)) }))
      ),
    ])
    for (key, value) in record.members { recipe[key] = value }
    recipe["spiking"] = configuration["spiking"]
    recipe["of"] = source.recipe
    return CheckpointPlan(
      description: target, configuration: configuration, tensors: tensors,
      companions: source.companions, shardSize: settings.shardSize, recipe: recipe,
      source: source.summary, notes: notes(source, tensors))
  }

  /// The same plan from the settings that a manifest, `file`, recorded.
  public static func make(
    from source: DenseModel, recorded: JSONObject?, settings: CalibrateSettings, file: String
  ) throws -> CheckpointPlan {
    guard let recorded else { throw ConfigurationError.missingKey("spiking", file: file) }
    let spiking = try SpikingSettings(
      Configuration(recorded, file: file), of: source.description)
    return try make(from: source, spiking: spiking, settings: settings)
  }

  private static func outputType(
    _ type: ScalarType, _ wanted: ConvertSettings.OutputType
  ) -> ScalarType {
    switch wanted {
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .float32: .float32
    case .keep: type.isQuantised ? .bfloat16 : type
    }
  }

  private static func notes(
    _ source: DenseModel, _ tensors: [CheckpointPlan.PlannedTensor]
  ) -> [String] {
    var notes = [
      "Written in the spikingbrain layout, which the public SpikingBrain-7B code cannot load; the "
        + "public layout cannot hold spiking thresholds."
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
