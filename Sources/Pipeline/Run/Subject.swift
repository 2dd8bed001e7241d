import Architectures
public import Conversion
public import ModelFiles
import TensorTypes

/// The checkpoint that a step starts from: one that is there, or, in a dry run of a pipeline, one
/// that the step before would write.
public enum Subject: Sendable {
  /// A checkpoint that is there.
  case file(ModelFile)
  /// One that is planned; `origin` is the checkpoint it would be made from, for its tokenizer.
  case planned(CheckpointPlan, origin: ModelFile)

  /// What the model is.
  var description: ModelDescription {
    switch self {
    case .file(let file): file.description
    case .planned(let plan, _): plan.description
    }
  }

  /// The file whose tokenizer the model has.
  var file: ModelFile {
    switch self {
    case .file(let file), .planned(_, let file): file
    }
  }

  /// The model's tensors.
  func weights() throws -> any WeightSource {
    switch self {
    case .file(let file): file
    case .planned(let plan, _): PlannedWeights(plan)
    }
  }

  /// The model as transforms of whole models take it.
  func dense() throws -> DenseModel {
    switch self {
    case .file(let file): try DenseModel(file)
    case .planned(let plan, _): DenseModel(plan)
    }
  }
}
