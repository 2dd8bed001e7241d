public import Architectures
import Checkpoints
public import Foundations
public import StepSettings
import StrictJSON
import TensorTypes

/// A checkpoint of seeded random weights in the layout of a source architecture.
public enum SyntheticPlan {
  /// The plan of a model that `config` describes.
  ///
  /// Matrices are uniform with the variance 1/inputs, so that activations keep their scale; norms
  /// lie around one and biases around zero, none of them exactly, because exact ones hide mistakes.
  public static func make(
    _ config: Configuration, type: SyntheticType, seed: UInt64, shardSize: ByteSize, sparse: Bool
  ) throws -> CheckpointPlan {
    let architecture = try Architectures.of(config)
    let model = try architecture.describe(config)
    let notes = try config.restNotes()
    guard model.quantization == nil else {
      throw ConfigurationError.unsupported(
        key: "quantization", value: "int8", reason: "random weights are floating-point numbers",
        file: config.file)
    }
    var configuration = config.object
    configuration["torch_dtype"] = .string(type.rawValue)
    configuration["dtype"] = nil
    return CheckpointPlan(
      description: model, configuration: configuration,
      tensors: try model.stored(under: architecture.names).map { stored in
        let first = stored.pieces[0]
        guard let name = stored.name else {
          throw ConfigurationError.inconsistent(
            "\(architecture.modelType) has no name for \(first.address)", file: config.file)
        }
        return .init(
          stored.pieces.count == 1 ? first.address : nil, name: name, shape: stored.shape,
          type: type.scalarType,
          transform: sparse
            ? HoleTransform(byteCount: stored.shape.byteCount(type.scalarType) ?? 0)
            : weights(stored, of: model, named: name, type: type.scalarType, seed: seed))
      },
      companions: [], shardSize: shardSize,
      recipe: JSONObject(step: .synthesize).merging([
        "seed": .number("\(seed)"), "dtype": .string(type.rawValue), "sparse": .bool(sparse),
      ]),
      source: JSONObject(), notes: notes)
  }

  private static func weights(
    _ stored: ModelDescription.StoredRequirement, of model: ModelDescription, named name: String,
    type: ScalarType, seed: UInt64
  ) -> UniformTransform {
    let shape = stored.shape, address = stored.pieces[0].address
    // A vector that is no bias multiplies something too.
    let isNorm =
      (shape.dimensions.count == 1 && address.parameter == .weight) || stored.pieces[0].isNorm
    let bound: Double
    if shape.dimensions.count == 1 || isNorm {
      bound = 0.2
    } else if [.embedding, .sinkTokens].contains(address.role) {
      bound = 1
    } else {
      bound = (3 / Double(shape.columns)).squareRoot()
    }
    return UniformTransform(
      bound: bound, seed: seed, label: name, shape: shape, as: type,
      offset: isNorm && !model.addsOne(address.role) ? 1 : 0)
  }
}
