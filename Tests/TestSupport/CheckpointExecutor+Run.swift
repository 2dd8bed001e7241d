public import Checkpoints
public import Communication
public import Conversion
import StrictJSON
import TensorTypes

extension CheckpointExecutor {
  /// Writes the checkpoint to the directory `output`.
  ///
  /// - Parameters:
  ///   - inputs: paths that the plan reads, which the output must not replace.
  ///   - ranks: those that the executor was made for.
  public func run(
    to output: String, mode: OutputDirectory.Mode, inputs: [String],
    ranks: Communicator = .single
  ) throws {
    let directory = try OutputDirectory.begin(
      output, fingerprint: fingerprint(inputs: inputs), mode: mode, inputs: inputs, ranks: ranks)
    try directory.orAbandon {
      try write(to: directory)
    }
  }

  /// What determines the output: a run is resumed only when all of it is the same.
  private func fingerprint(inputs: [String]) -> [String: String] {
    let tensors = plan.tensors.map {
      "\($0.name) \($0.shape) \($0.type.rawValue) \($0.transform.record.json.compact) "
        + "\($0.transform.sources)"
    }
    func hash(_ text: String) -> String { SHA256.hash(Array(text.utf8)).hex }
    var recipe = plan.recipe
    let settings = recipe["settings"]?.object
    recipe["settings"] = nil
    // Settings by their names, so that a difference can be named.
    var fingerprint = (settings?.members ?? []).reduce(into: [:]) {
      $0["--" + $1.key] = $1.value.string ?? $1.value.compact
    }
    let copied = plan.companions.compactMap { companion in
      if case .copy(let path) = companion.content { path } else { nil }
    }
    fingerprint.merge(FileIdentity.fingerprint(of: inputs + copied)) { $1 }
    fingerprint["version"] = tool.version
    fingerprint["source"] = hash(JSONValue.object(plan.source).compact)
    fingerprint["recipe"] = hash(JSONValue.object(recipe).compact)
    fingerprint["tensors"] = hash(tensors.joined(separator: "\n"))
    return fingerprint
  }
}
