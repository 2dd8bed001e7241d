public import Checkpoints
import Foundation
public import StrictJSON
public import TensorTypes

/// Changes to written checkpoints, for tests that plant faults.
public struct CheckpointEdit {
  /// The directory that is changed.
  public let directory: String

  /// The checkpoint in `directory`.
  public init(_ directory: String) { self.directory = directory }

  /// The bytes of the tensor `name`.
  public func bytes(of name: String) throws -> [UInt8] {
    let view = try SafetensorsCheckpoint(path: directory).view(name)
    return withExtendedLifetime(view) { Array(view.bytes) }
  }

  /// The values of the float32 tensor `name`.
  public func floats(_ name: String) throws -> [Float] {
    try bytes(of: name).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  /// Overwrites a part of the tensor `name`, leaving the manifest as it is.
  public func overwrite(_ name: String, at offset: Int = 0, with bytes: [UInt8]) throws {
    guard let stored = try SafetensorsCheckpoint(path: directory).tensor(named: name) else {
      throw CheckpointError.noSuchTensor(file: directory, tensor: name)
    }
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: stored.file))
    try handle.seek(toOffset: UInt64(stored.offset + offset))
    try handle.write(contentsOf: Data(bytes))
    try handle.close()
  }

  /// Overwrites the float32 tensor `name` from element `index` on.
  public func overwrite(_ name: String, element index: Int = 0, with values: [Float]) throws {
    try overwrite(name, at: 4 * index, with: values.withUnsafeBytes { Array($0) })
  }

  /// Exchanges the bytes of two tensors of equal size.
  public func swap(_ left: String, _ right: String) throws {
    let a = try bytes(of: left), b = try bytes(of: right)
    try overwrite(left, with: b)
    try overwrite(right, with: a)
  }

  /// Changes config.json; a nil value removes its key.
  public func configure(_ changes: [String: JSONValue?]) throws {
    let path = directory + "/config.json"
    var object = try JSONParser.parse(Files.bytes(path)).object ?? JSONObject()
    for (key, value) in changes { object[key] = value }
    try Data(JSONValue.object(object).pretty.utf8).write(to: URL(fileURLWithPath: path))
  }

  /// A tensor to be written.
  public struct Tensor {
    /// Name, type and shape.
    public var entry: SafetensorsHeader.Entry
    /// The bytes.
    public var bytes: [UInt8]
    /// The name.
    public var name: String { entry.name }

    /// A float32 tensor of equal values.
    public init(_ name: String, shape: Shape, filledWith value: Float = 0.5) {
      entry = .init(name: name, type: .float32, shape: shape)
      let values = [Float](repeating: value, count: shape.elementCount ?? 0)
      bytes = values.withUnsafeBytes { Array($0) }
    }

    init(entry: SafetensorsHeader.Entry, bytes: [UInt8]) {
      self.entry = entry
      self.bytes = bytes
    }
  }

  /// Writes the tensors again as one file after `change`; the manifest is removed.
  public func rewrite(_ change: (inout [Tensor]) -> Void) throws {
    let reader = try SafetensorsCheckpoint(path: directory)
    var tensors = try reader.tensors.map { stored in
      Tensor(
        entry: .init(name: stored.name, type: stored.type, shape: stored.shape),
        bytes: try bytes(of: stored.name))
    }
    change(&tensors)
    let header = try SafetensorsHeader(file: "model.safetensors", entries: tensors.map(\.entry))
    var data = header.bytes
    for placed in header.tensors {
      data += tensors.first { $0.entry.name == placed.name }?.bytes ?? []
    }
    for file in reader.files { try Files.remove(file) }
    for name in ["model.safetensors.index.json", Manifest.fileName]
    where Files.exist("\(directory)/\(name)") {
      try Files.remove("\(directory)/\(name)")
    }
    try Data(data).write(to: URL(fileURLWithPath: directory + "/model.safetensors"))
  }

  /// Records the present sizes and hashes in the manifest, as someone who hides a change would.
  public func remakeManifest() throws {
    var manifest = try Manifest(unsealed: directory)
    manifest.files = try manifest.files.map { record in
      let (bytes, digest) = try SHA256.hashFile("\(directory)/\(record.name)")
      return FileRecord(name: record.name, bytes: bytes, sha256: digest)
    }
    try Data(manifest.json.pretty.utf8).write(
      to: URL(fileURLWithPath: "\(directory)/\(Manifest.fileName)"))
  }
}
