import Checkpoints
import Foundation
package import TensorTypes

/// New tensors in a safetensors file, each named by its address in JSON.
///
/// They are read back mapped, so that the results of a large model need no memory.
package enum LayerFile {
  /// Writes `tensors` to `path`, whole or not at all.
  static func write(_ tensors: LayerTensors, to path: String) throws {
    let named = try tensors.views.map { (try name(of: $0.key), $0.value) }
    try write(Dictionary(uniqueKeysWithValues: named), to: path)
  }

  /// Writes tensors by name.
  package static func write(_ views: [String: TensorView], to path: String) throws {
    let header = try SafetensorsHeader(
      file: path,
      entries: views.sorted { $0.key < $1.key }.map {
        .init(name: $0.key, type: $0.value.type, shape: $0.value.shape)
      })
    let stream = try FileStream(path: path + ".new")
    try stream.write(header.bytes)
    for tensor in header.tensors {
      if let view = views[tensor.name] { try stream.writeStored(view) }
    }
    _ = try stream.finish()
    try SealedFile.move(path + ".new", to: path)
  }

  /// The tensors in the file at `path`; nil when there is none.
  static func read(_ path: String) throws -> LayerTensors? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try SafetensorsFile(path: path)
    var tensors = LayerTensors()
    for tensor in file.tensors {
      guard
        let address = try? JSONDecoder().decode(TensorAddress.self, from: Data(tensor.name.utf8))
      else { throw StreamError.changed(path: path) }
      tensors.set(address, to: try file.view(tensor.name))
    }
    return tensors
  }

  /// What the tensor at `address` is called in a file.
  package static func name(of address: TensorAddress) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(address), as: UTF8.self)
  }
}
