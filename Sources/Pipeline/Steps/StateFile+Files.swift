import Checkpoints
import Kernels
package import ModelFiles
package import Runtime

extension StateFile {
  /// The state in the safetensors file at `path`, and the text that goes with it.
  package static func read(
    _ path: String, for owner: Owner
  ) throws -> (state: DecodingState, metadata: [String: String]) {
    let stored = try SafetensorsFile(path: path)
    let views = try stored.tensors.map { ($0.name, try stored.view($0.name)) }
    let state = try state(
      in: path, metadata: stored.metadata, tensors: Dictionary(uniqueKeysWithValues: views),
      for: owner)
    return (state, stored.metadata)
  }

  /// Writes `state` to `file`.
  ///
  /// - Parameter metadata: more text that goes with it.
  package static func write(
    _ state: DecodingState, of owner: Owner, metadata: [String: String] = [:],
    to file: FloatTensorFile
  ) throws {
    let saved = StateFile(state, of: owner)
    let tensors = saved.layers.enumerated().map { ("state.\($0.offset)", $0.element) }
    let matrices = (tensors + [("last", saved.last)]).map { name, numbers in
      let matrix = FloatMatrix(rows: 1, columns: numbers.count)
      _ = matrix.elements.update(fromContentsOf: numbers)
      return (name, matrix)
    }
    defer { withExtendedLifetime(matrices) {} }
    try file.write(
      matrices.map { ($0.0, [$0.1.columns], $0.1.elements) },
      metadata: metadata.merging(saved.metadata) { $1 })
  }
}

extension StateFile.Owner {
  /// The model in `file`.
  package init(_ file: ModelFile) throws {
    self.init(file.description, weights: try WeightsSample.hash(of: file)) { feed in
      var hash = SHA256()
      feed { hash.update($0) }
      return hash.finish().hex
    }
  }
}
