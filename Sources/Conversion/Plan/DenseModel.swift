public import Architectures
import Checkpoints
import Foundation
public import ModelFiles
import StrictJSON
import TensorTypes

/// What `upcycle` and `calibrate` start from: an opened checkpoint, or one that is planned and not yet written.
public struct DenseModel: Sendable {
  /// The model.
  public let description: ModelDescription
  let parts: [TensorAddress: Part]
  let companions: [CheckpointPlan.CompanionFile]
  /// What the manifest records of it.
  let origin: JSONObject
  /// How it was made itself; null when it is a source model.
  let recipe: JSONValue
  /// What a user should know of how it was made.
  let notes: [String]

  /// A tensor with its bytes, as far as they are there.
  struct Part: Sendable {
    var name: String
    var type: ScalarType
    /// The values; nil for planned tensors that are no copies.
    var view: TensorView?
    /// What makes the tensor; nil when a file holds it.
    var transform: (any TensorTransform)?
  }

  /// The model in `file`.
  public init(_ file: ModelFile) throws {
    try file.requireSound()
    description = file.description
    var parts: [TensorAddress: Part] = [:]
    for requirement in file.description.requirements {
      guard let stored = file.tensors[requirement.address] else {
        throw ModelFileError.noTensor(path: file.path, address: requirement.address)
      }
      parts[requirement.address] = Part(
        name: stored.name, type: stored.type, view: try file.view(requirement.address))
    }
    self.parts = parts
    companions = try file.companionFiles()
    origin = file.origin
    let history = try file.history()
    notes = history.news
    recipe = history.steps.last?.name == .synthesize ? .null : history.recipe
  }

  /// The model that `plan` will write.
  public init(_ plan: CheckpointPlan) {
    description = plan.description
    parts = plan.tensors.byAddress.mapValues { planned in
      let view = (planned.transform as? CopyTransform)?.view
      return Part(
        name: planned.name, type: planned.type,
        view: view.map { $0.type == planned.type ? $0 : $0.rounded(to: planned.type) },
        transform: planned.transform)
    }
    companions = plan.companions
    origin = JSONObject([("planned", .string(plan.description.modelType))])
    recipe = .object(plan.recipe)
    notes = []
  }
}
