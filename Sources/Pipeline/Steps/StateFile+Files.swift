import Checkpoints
import Kernels
import ModelFiles
import Runtime

extension StateFile {
  /// The state in the safetensors file at `path`.
  static func read(_ path: String, for file: ModelFile) throws -> DecodingState {
    let stored = try SafetensorsFile(path: path)
    let views = try stored.tensors.map { ($0.name, try stored.view($0.name)) }
    return try state(
      in: path, metadata: stored.metadata, tensors: Dictionary(uniqueKeysWithValues: views),
      for: try Owner(file))
  }

  /// Writes `state` to `file`.
  static func write(
    _ state: DecodingState, of model: ModelFile, to file: FloatTensorFile
  ) throws {
    let saved = StateFile(state, of: try Owner(model))
    let tensors = saved.layers.enumerated().map { ("state.\($0.offset)", $0.element) }
    let matrices = (tensors + [("last", saved.last)]).map { name, numbers in
      let matrix = FloatMatrix(rows: 1, columns: numbers.count)
      _ = matrix.elements.update(fromContentsOf: numbers)
      return (name, matrix)
    }
    defer { withExtendedLifetime(matrices) {} }
    try file.write(
      matrices.map { ($0.0, [$0.1.columns], $0.1.elements) },
      metadata: saved.metadata)
  }
}

extension StateFile.Owner {
  fileprivate init(_ file: ModelFile) throws {
    self.init(file.description, weights: try WeightsSample.hash(of: file)) { feed in
      var hash = SHA256()
      feed { hash.update($0) }
      return hash.finish().hex
    }
  }
}
