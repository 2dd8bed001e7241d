import Architectures
import Checkpoints
import Foundation
import Runtime
import TensorTypes

/// A saved decoding state: one f32 tensor per layer, and the tokens read in the metadata.
///
/// Tensors: `state.N`, flat. Metadata: `position`, and `model`, the description the state was made
/// for, so that a state is never continued with another model.
enum StateFile {
  static func write(
    _ state: DecodingState, of model: ModelDescription, to file: FloatTensorFile
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
    try file.write(
      matrices.enumerated().map { ("state.\($0.offset)", [$0.element.count], $0.element.elements) },
      metadata: ["position": "\(state.position)", "model": fingerprint(model)])
  }

  static func read(_ path: String, for model: ModelDescription) throws -> DecodingState {
    func misfit(_ reason: String) -> RuntimeError { .stateDoesNotFit(file: path, reason: reason) }
    let file = try SafetensorsFile(path: path)
    guard let position = file.metadata["position"].flatMap(Int.init),
      let made = file.metadata["model"]
    else { throw misfit("it holds no position") }
    guard made == fingerprint(model) else { throw misfit("it was saved by another model") }
    let saved: [[Float]] = try model.layers.indices.map { layer in
      guard let tensor = file.tensor(named: "state.\(layer)"), tensor.type == .float32 else {
        throw misfit("layer \(layer) is missing")
      }
      let bytes = try file.view(tensor.name).bytes
      return (0..<bytes.count / 4).map {
        bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    }
    guard let state = DecodingState(for: model, saved: saved, position: position) else {
      throw misfit("its sizes do not match")
    }
    return state
  }

  private static func fingerprint(_ model: ModelDescription) -> String {
    SHA256.hash(Array("\(model)".utf8)).hex
  }
}
