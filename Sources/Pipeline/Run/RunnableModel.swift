package import Architectures
import Mixers
package import ModelFiles
package import Runtime

/// A checkpoint opened to run it.
package struct RunnableModel {
  package let file: ModelFile
  package var model: Model

  /// Opens the checkpoint at `path`, checks its structure and prepares it for running.
  package init(_ path: String, _ context: Context) throws {
    file = try context.open(path)
    try file.requireSound()
    model = try Model(
      file.description, weights: file,
      residency: context.limits.residency(forWeights: file.byteCount))
  }

  /// The same with what `--ablate` names switched off; nil for nothing.
  init(_ path: String, ablate: String?, _ context: Context) throws {
    try self.init(path, context)
    guard let ablate else { return }
    guard let ablation = Ablation(parsing: ablate) else {
      throw InputError.option(
        "--ablate", value: ablate, expected: "state, state:N, attention or linear")
    }
    model.ablation = ablation
  }

  /// The checkpoint at `path`, to compare the predictions of `model` with its own; throws where their
  /// vocabularies differ.
  package init(teacher path: String, of model: ModelDescription, _ context: Context) throws {
    try self.init(path, context)
    let own = file.description.vocabularySize
    guard own == model.vocabularySize else {
      throw InputError.vocabularies(model: model.vocabularySize, teacher: own)
    }
  }
}

extension Context {
  /// Opens the checkpoint at `path`; what is to be known of how it is read is said.
  package func open(_ path: String) throws -> ModelFile {
    let file = try ModelFile.open(path)
    for note in file.notes { self.note("note: \(note)") }
    return file
  }
}
