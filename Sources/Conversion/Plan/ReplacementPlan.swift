import Architectures
import Checkpoints
public import Foundations
public import ModelFiles
public import StrictJSON
public import TensorTypes

/// A checkpoint with some of its tensors replaced: what `heal` writes.
public enum ReplacementPlan {
  /// The plan of copying `file` with `replacements` in the place of its own tensors, in their
  /// stored types.
  ///
  /// - Parameters:
  ///   - computation: what gave the replacements.
  ///   - reports: further small files, by name.
  public static func make(
    from file: ModelFile, replacing replacements: [TensorAddress: TensorView],
    by computation: Computation, recipe: JSONObject, shardSize: ByteSize, notes: [String],
    reports: [(String, JSONValue)]
  ) throws -> CheckpointPlan {
    try file.requireSound()
    let history = try file.history()
    // A copy of what earlier steps computed is as far from the source as it was.
    let computedBefore = history.transforms.compactMapValues(\.computation)
    let tensors = try file.description.requirements.map { requirement in
      guard let stored = file.tensors[requirement.address] else {
        throw ModelFileError.noTensor(path: file.path, address: requirement.address)
      }
      let transform: any TensorTransform
      if let view = replacements[requirement.address] {
        transform = ReplacementTransform(view, as: stored.type, by: computation)
      } else if let before = computedBefore[stored.name] {
        transform = ReplacementTransform(
          try file.view(requirement.address), as: stored.type, by: before)
      } else {
        transform = CopyTransform(
          try file.view(requirement.address), named: stored.name, as: stored.type)
      }
      return CheckpointPlan.PlannedTensor(
        requirement.address, name: stored.name, shape: requirement.shape, type: stored.type,
        transform: transform)
    }
    return CheckpointPlan(
      description: file.description, configuration: file.configuration.object, tensors: tensors,
      companions: try file.companionFiles()
        + reports.map { .init(name: $0.0, content: .text($0.1.pretty)) },
      shardSize: shardSize, recipe: recipe, source: file.origin, notes: history.news + notes)
  }
}
