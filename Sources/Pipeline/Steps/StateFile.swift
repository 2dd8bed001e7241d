import Architectures
import Checkpoints
import Foundation
import Kernels
import ModelFiles
import Runtime
import TensorTypes

/// A saved decoding state: one f32 tensor per layer, and what it belongs to in the metadata.
///
/// Tensors: `state.N`, flat. Metadata: `position`, the tokens read; `model` and `weights`, the hashes of
/// the description and of the weights that read them, so that a state is never continued with others;
/// `state`, the hash of all that, so that a file that was changed or cut short is not taken for one.
enum StateFile {
  static func write(
    _ state: DecodingState, of model: ModelFile, to file: FloatTensorFile
  ) throws {
    let saved = state.saved
    let matrices = saved.map { numbers in
      let matrix = FloatMatrix(rows: 1, columns: numbers.count)
      numbers.withUnsafeBufferPointer { source in
        if let start = source.baseAddress {
          matrix.pointer.update(from: start, count: source.count)
        }
      }
      return matrix
    }
    defer { withExtendedLifetime(matrices) {} }
    var metadata = try identity(of: model)
    metadata["position"] = "\(state.position)"
    metadata["state"] = hash(of: saved, metadata)
    try file.write(
      matrices.enumerated().map { ("state.\($0.offset)", [$0.element.count], $0.element.elements) },
      metadata: metadata)
  }

  static func read(_ path: String, for model: ModelFile) throws -> DecodingState {
    func misfit(_ reason: String) -> RuntimeError { .stateDoesNotFit(file: path, reason: reason) }
    let file = try SafetensorsFile(path: path)
    guard let text = file.metadata["position"] else { throw misfit("it holds no position") }
    guard let position = Int(text), (0...DecodingState.mostTokens).contains(position) else {
      throw misfit("its position is \(text), expected 0 to \(DecodingState.mostTokens)")
    }
    let identity = try identity(of: model)
    for (key, name) in [("model", "another model"), ("weights", "other weights")]
    where file.metadata[key] != identity[key] {
      throw misfit("it was saved by \(name)")
    }
    let counts = DecodingState.savedCounts(of: model.description, position: position)
    guard file.tensors.count == counts.count else {
      throw misfit(
        "it holds \(counted(file.tensors.count, "tensor")), expected \(counts.count)")
    }
    let saved: [[Float]] = try counts.enumerated().map { layer, count in
      guard let tensor = file.tensor(named: "state.\(layer)") else {
        throw misfit("layer \(layer) is missing")
      }
      guard tensor.type == .float32, tensor.shape == [count] else {
        throw misfit(
          "layer \(layer) is \(tensor.type.rawValue) \(tensor.shape), expected float32 [\(count)] "
            + "after \(counted(position, "token"))")
      }
      let view = try file.view(tensor.name)
      if let found = NotFinite(in: view) {
        throw misfit("layer \(layer) holds \(found.value) at \(found.column)")
      }
      return (0..<count).map { view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    guard hash(of: saved, file.metadata) == file.metadata["state"],
      let state = DecodingState(for: model.description, saved: saved, position: position)
    else { throw misfit("it is not as it was saved") }
    return state
  }

  /// What tells the model and its weights from others.
  private static func identity(of file: ModelFile) throws -> [String: String] {
    [
      "model": SHA256.hash(Array("\(file.description)".utf8)).hex,
      "weights": try WeightsSample.hash(of: file),
    ]
  }

  /// The hash of a state with what it belongs to.
  private static func hash(of saved: [[Float]], _ metadata: [String: String]) -> String {
    var hash = SHA256()
    let text = ["position", "model", "weights"].map { metadata[$0] ?? "" }.joined(separator: " ")
    Array(text.utf8).withUnsafeBytes { hash.update($0) }
    for numbers in saved { numbers.withUnsafeBytes { hash.update($0) } }
    return hash.finish().hex
  }
}

/// Some bytes of every tensor of a model: enough to tell weights that were trained, healed or rounded
/// from those they were made from, without reading all.
enum WeightsSample {
  /// Pieces of a tensor that are read, and the bytes of one; smaller tensors are read whole.
  private static let pieces = 16, pieceBytes = 4096

  /// The hash of the sample of `file`.
  static func hash(of file: ModelFile) throws -> String {
    var hash = SHA256()
    for requirement in file.description.requirements {
      let view = try file.view(requirement.address)
      let kind = "\(requirement.address) \(view.type.rawValue) \(view.shape)"
      Array(kind.utf8).withUnsafeBytes { hash.update($0) }
      let rest = view.bytes.count - pieceBytes
      if view.bytes.count <= pieces * pieceBytes {
        hash.update(view.bytes)
      } else {
        for piece in 0..<pieces {
          let start = rest * piece / (pieces - 1)
          hash.update(UnsafeRawBufferPointer(rebasing: view.bytes[start..<start + pieceBytes]))
        }
      }
      view.discard()
    }
    return hash.finish().hex
  }
}
