import Architectures
import Mixers
package import ModelFiles
package import Runtime

/// A checkpoint opened to run it.
package struct RunnableModel {
  package let file: ModelFile
  package var model: Model

  /// Opens the checkpoint at `path`, checks its structure and prepares it for running.
  ///
  /// - Parameters:
  ///   - previous: the checkpoint that was opened before, in a run of several.
  ///   - isLast: whether no other is opened after it.
  package init(
    _ path: String, after previous: ModelFile? = nil, isLast: Bool = true, _ context: Context
  ) throws {
    file = try context.open(path, after: previous, isLast: isLast)
    try file.requireSound()
    model = try Model(
      file.description, weights: file,
      residency: context.limits.residency(forWeights: file.byteCount))
  }

  /// The same with what `--ablate` names switched off; nil for nothing.
  init(_ path: String, ablate: String?, isLast: Bool = true, _ context: Context) throws {
    try self.init(path, isLast: isLast, context)
    guard let ablate else { return }
    guard let ablation = Ablation(parsing: ablate) else {
      throw InputError.option(
        "--ablate", value: ablate, expected: "state, state:N, attention or linear")
    }
    model.ablation = ablation
  }

  /// The checkpoint at `path`, to compare the predictions of `model` with its own; throws where their
  /// vocabularies differ.
  package init(teacher path: String, of model: ModelFile, _ context: Context) throws {
    try self.init(path, after: model, context)
    let own = file.description.vocabularySize, other = model.description.vocabularySize
    guard own == other else { throw InputError.vocabularies(model: other, teacher: own) }
  }
}
