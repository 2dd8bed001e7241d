import Architectures
import Checkpoints
public import ModelFiles
public import StrictJSON
public import TensorTypes

/// How the manifest records a refitted tensor.
public enum HealedOrigin {
  /// The transform of every tensor that `heal` replaced.
  public static let transform = "healed"

  /// The transforms of tensors that were computed on a text before or at healing: no plan makes them
  /// again.
  static let computed: Set = [
    transform, UpcyclePlan.Fitted.router, UpcyclePlan.Fitted.carvedRouter,
    UpcyclePlan.Fitted.expert,
  ]
}

/// A checkpoint with some of its tensors replaced: what `heal` writes.
public enum ReplacementPlan {
  /// The plan of copying `file` with `replacements` in the place of its own tensors, in their
  /// stored types.
  ///
  /// - Parameters:
  ///   - summary: what made the replacements, as the manifest records it.
  ///   - reports: further small files, by name.
  public static func make(
    from file: ModelFile, replacing replacements: [TensorAddress: TensorView], summary: String,
    recipe: JSONObject, shardSize: ByteSize, notes: [String], reports: [(String, JSONValue)]
  ) throws -> CheckpointPlan {
    try file.requireSound()
    let computedBefore = try computedTensors(of: file)
    let tensors = try file.description.requirements.map { requirement in
      guard let stored = file.tensors[requirement.address] else {
        throw ModelFileError.noTensor(path: file.path, address: requirement.address)
      }
      let transform: any TensorTransform
      if let view = replacements[requirement.address] {
        transform = ReplacementTransform(view, as: stored.type, summary: summary)
      } else if let before = computedBefore[stored.name] {
        transform = ReplacementTransform(
          try file.view(requirement.address), as: stored.type, summary: before)
      } else {
        transform = CopyTransform(
          try file.view(requirement.address), named: stored.name, as: stored.type)
      }
      return CheckpointPlan.PlannedTensor(
        name: stored.name, shape: requirement.shape, type: stored.type, transform: transform)
    }
    return CheckpointPlan(
      description: file.description, configuration: file.configuration.object, tensors: tensors,
      companions: try file.companionFiles()
        + reports.map { .init(name: $0.0, content: .text($0.1.pretty)) },
      shardSize: shardSize, recipe: recipe, source: file.summary, notes: notes)
  }

  /// The tensors that earlier steps computed, and how: a copy of one is as far from the source as
  /// it was.
  private static func computedTensors(of file: ModelFile) throws -> [String: String] {
    (try Manifest(ifIn: file.path)?.transforms ?? [:])
      .filter { HealedOrigin.computed.contains($0.value) }
  }
}
