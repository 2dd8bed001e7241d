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
}

extension Context {
  /// Opens the checkpoint at `path`; what is to be known of how it is read is said.
  package func open(_ path: String) throws -> ModelFile {
    let file = try ModelFile.open(path)
    for note in file.notes { self.note("note: \(note)") }
    return file
  }
}
