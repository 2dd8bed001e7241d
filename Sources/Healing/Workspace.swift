import Foundation
import StrictJSON
import TensorTypes

/// The files of a running healing: streams, and the tensors of finished layers.
///
/// A layer reads the streams that enter it and writes new files; what it read is removed only when
/// its result is recorded, so a run that is killed anywhere continues with the layer it was in.
struct Workspace {
  let directory: String
  let columns: Int

  /// Which stream a file holds.
  enum Kind: String {
    case teacher, student, target
  }

  func stream(_ kind: Kind, entering layer: Int) throws(HealingError) -> HiddenStream {
    try HiddenStream(path: path(kind, layer), columns: columns)
  }

  private func path(_ kind: Kind, _ layer: Int) -> String {
    "\(directory)/\(kind.rawValue).\(layer)"
  }

  /// The number of layers that are done.
  func finishedLayers() throws -> Int {
    guard let data = FileManager.default.contents(atPath: directory + "/finished") else { return 0 }
    return Int(String(decoding: data, as: UTF8.self)) ?? 0
  }

  /// Records that `layer` is done and removes what it read.
  func finish(layer: Int, healed: HealedTensors?) throws {
    for kind in [Kind.teacher, .student] { try stream(kind, entering: layer + 1).sync() }
    if let healed { try LayerFile.write(healed, to: "\(directory)/layer.\(layer)") }
    try LayerFile.replace(directory + "/finished", with: Data("\(layer + 1)".utf8))
    for kind in [Kind.teacher, .student, .target] { unlink(path(kind, layer)) }
  }

  /// The tensors of all finished layers.
  func healedTensors() throws -> HealedTensors {
    var all = HealedTensors()
    for layer in 0..<(try finishedLayers()) {
      if let tensors = try LayerFile.read("\(directory)/layer.\(layer)", layer: layer) {
        all.merge(tensors)
      }
    }
    return all
  }
}

/// The refitted tensors of one layer in a file of our own: role, parameter, shape and f32 values.
enum LayerFile {
  static func write(_ tensors: HealedTensors, to path: String) throws {
    var header: [JSONValue] = []
    var data = Data()
    let sorted = tensors.views.sorted { "\($0.key)" < "\($1.key)" }
    for (address, view) in sorted {
      header.append([
        "role": .string(address.role.rawValue), "parameter": .string(address.parameter.rawValue),
        "shape": .ints(view.shape.dimensions),
      ])
      data.append(contentsOf: view.bytes)
    }
    try replace(path, with: Data((JSONValue.array(header).compact + "\n").utf8) + data)
  }

  static func read(_ path: String, layer: Int) throws -> HealedTensors? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let end = data.firstIndex(of: UInt8(ascii: "\n")),
      let header = try JSONParser.parse(data[..<end]).array
    else { throw HealingError.file(path, operation: "read", errno: EINVAL) }
    var tensors = HealedTensors()
    var offset = end + 1
    for entry in header {
      let dimensions = entry["shape"]?.array?.compactMap(\.int) ?? []
      guard let role = entry["role"]?.string.flatMap(TensorAddress.Role.init(rawValue:)),
        let parameter = entry["parameter"]?.string.flatMap(TensorAddress.Parameter.init(rawValue:)),
        let bytes = Shape(dimensions).byteCount(.float32), offset + bytes <= data.count
      else { throw HealingError.file(path, operation: "read", errno: EINVAL) }
      let values = data[offset..<offset + bytes].withUnsafeBytes { raw in
        (0..<bytes / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
      tensors.set(
        TensorAddress(role, parameter, layer: layer),
        to: MemoryStorage.view(values, shape: Shape(dimensions)))
      offset += bytes
    }
    return tensors
  }

  /// Writes a small file so that it is there whole or not at all, even after a crash.
  static func replace(_ path: String, with data: Data) throws {
    let temporary = path + ".new"
    do {
      try data.write(to: URL(fileURLWithPath: temporary))
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: temporary))
      try handle.synchronize()
      try handle.close()
    } catch {
      throw HealingError.file(temporary, operation: "write", errno: ENOSPC)
    }
    guard rename(temporary, path) == 0 else {
      throw HealingError.file(path, operation: "rename", errno: errno)
    }
  }
}
