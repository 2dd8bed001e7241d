import Checkpoints
import TensorTypes

/// A file that `logits` wrote.
struct LogitsFile {
  let file: SafetensorsFile
  let shape: Shape

  init(_ path: String) throws {
    file = try SafetensorsFile(path: path)
    shape = file.tensor(named: "logits")?.shape ?? []
  }

  /// The elements of a tensor.
  func values(_ name: String) throws -> [Float] {
    let view = try file.view(name)
    return withExtendedLifetime(view) {
      stride(from: 0, to: view.bytes.count, by: 4).map {
        view.bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)
      }
    }
  }

  /// The logits of one token.
  func row(_ row: Int) -> [Float] {
    let all = (try? values("logits")) ?? []
    return Array(all[row * shape.columns..<(row + 1) * shape.columns])
  }
}
