import Checkpoints

/// A checkpoint whose tensors are shown as our own layouts hold them.
protocol ShownReader: CheckpointReader {
  /// The checkpoint as its files hold it.
  var stored: any CheckpointReader { get }
  /// What is not as the form asks for it.
  var problems: [ModelFile.StructureProblem] { get }
}

extension QuantizedReader: ShownReader {}
