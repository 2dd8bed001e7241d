import Checkpoints
import Kernels
import Runtime
import TensorTypes

/// A small safetensors file of f32 tensors that a command writes, and may write again.
package struct FloatTensorFile {
  package let path: String
  let kind: Kind
  /// Whether a file that is something else is replaced.
  let force: Bool
  /// What is read meanwhile, and never replaced.
  let inputs: [String]

  package init(path: String, kind: Kind, force: Bool, inputs: [String]) {
    self.path = path
    self.kind = kind
    self.force = force
    self.inputs = inputs
  }

  /// What the file holds, as its metadata says.
  package enum Kind: String, Sendable {
    case logits, state
  }

  private static let key = "spikingbrain"

  /// Throws when a file is there that may not be replaced: before hours, not after.
  package func requireReplaceable() throws {
    try AtomicFile.checkReplaceable(path, force: force, inputs: inputs, isOwn: isOwn)
  }

  /// Writes `tensors`; the file appears complete or not at all.
  func write(_ tensors: [(name: String, matrix: FloatMatrix)]) throws {
    defer { withExtendedLifetime(tensors) {} }
    try write(
      tensors.map { ($0.name, [$0.matrix.rows, $0.matrix.columns], $0.matrix.elements) },
      metadata: ["format": "pt"])
  }

  /// Writes named f32 tensors and metadata.
  func write(
    _ tensors: [(name: String, shape: [Int], values: UnsafeMutableBufferPointer<Float>)],
    metadata: [String: String]
  ) throws {
    let header = try SafetensorsHeader(
      file: path,
      entries: tensors.map { .init(name: $0.name, type: .float32, shape: Shape($0.shape)) },
      metadata: metadata.merging([Self.key: kind.rawValue]) { $1 })
    let values = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
    let file = try AtomicFile(path: path, force: force, inputs: inputs, isOwn: isOwn)
    try file.write(header.bytes)
    for tensor in header.tensors {
      if let buffer = values[tensor.name] { try file.write(UnsafeRawBufferPointer(buffer)) }
    }
    try file.commit()
  }

  /// Whether the file at `path` is one of this kind.
  private func isOwn(_ path: String) -> Bool {
    guard let metadata = (try? SafetensorsFile(path: path))?.metadata else { return false }
    // The first states had no mark but what they cannot be without.
    return metadata[Self.key] == kind.rawValue
      || kind == .state && metadata["position"] != nil && metadata["model"] != nil
  }
}
