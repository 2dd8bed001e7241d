import Checkpoints
package import Communication
import Foundation
package import TensorTypes

/// The files of a pass through the layers of a model: streams, and the tensors of finished layers.
///
/// A layer reads the streams that enter it and writes new files; what it read is removed only when
/// its result is recorded, so a run that is killed anywhere continues with the layer it was in.
///
/// Several ranks keep a stream each, at the places of a single one: what is another's is a hole.
/// Everything else is the first rank's.
package struct Workspace {
  let directory: String
  let columns: Int
  private let ranks: Communicator

  /// The files in `directory`, which exists; streams have `columns` numbers per token.
  package init(directory: String, columns: Int, ranks: Communicator = .single) {
    self.directory = directory
    self.columns = columns
    self.ranks = ranks
  }

  /// Which stream a file holds.
  package enum Kind: String, CaseIterable {
    case teacher, student, target
    /// That of the sinks before every segment.
    case sinks
    /// The stream between a layer's attention and its feed-forward part.
    case middle
    /// Held-out segments of the model whose experts are copies.
    case copy
  }

  package func stream(_ kind: Kind, entering layer: Int) throws(HealingError) -> HiddenStream {
    if !ranks.isFirst { mkdir(streams, 0o777) }
    return try HiddenStream(path: path(kind, layer), columns: columns)
  }

  private var streams: String {
    ranks.isFirst ? directory : "\(directory)/rank\(ranks.rank)"
  }

  private func path(_ kind: Kind, _ layer: Int) -> String {
    "\(streams)/\(kind.rawValue).\(layer)"
  }

  /// The number of layers that are done.
  package func finishedLayers() throws -> Int {
    guard let data = FileManager.default.contents(atPath: directory + "/finished") else { return 0 }
    return Int(String(decoding: data, as: UTF8.self)) ?? 0
  }

  /// Keeps the tensors of `layer` on disk and returns them from there.
  package func keep(_ tensors: HealedTensors, ofLayer layer: Int) throws -> HealedTensors {
    let path = layerPath(layer)
    try ranks.together {
      if ranks.isFirst { try LayerFile.write(tensors, to: path) }
    }
    return try LayerFile.read(path, layer: layer) ?? tensors
  }

  private func layerPath(_ layer: Int) -> String { "\(directory)/layer.\(layer).safetensors" }

  private func reportPath(_ layer: Int) -> String { "\(directory)/layer.\(layer).json" }

  /// What was found of a finished layer.
  package func report<Report: Decodable>(ofLayer layer: Int) throws -> Report {
    let path = reportPath(layer)
    guard let data = FileManager.default.contents(atPath: path),
      let report = try? JSONDecoder().decode(Report.self, from: data)
    else { throw HealingError.file(path, operation: "read", errno: EINVAL) }
    return report
  }

  /// Records that a layer is done and removes what it read.
  package func finish(_ layer: Int, _ report: some Encodable) throws {
    try ranks.together {
      for kind in Kind.allCases
      where FileManager.default.fileExists(atPath: path(kind, layer + 1)) {
        try stream(kind, entering: layer + 1).sync()
      }
    }
    try ranks.together {
      guard ranks.isFirst else { return }
      let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
      try LayerFile.replace(reportPath(layer), with: text)
      try LayerFile.replace(directory + "/finished", with: "\(layer + 1)")
    }
    for kind in Kind.allCases { unlink(path(kind, layer)) }
  }

  /// The number of gradient steps per layer: decided once, since a time limit depends on how busy
  /// the machine is, and a resumed run must go on as it began.
  func steps(decide: () throws -> Int) throws -> Int {
    let path = directory + "/steps"
    if let data = FileManager.default.contents(atPath: path),
      let steps = Int(String(decoding: data, as: UTF8.self))
    {
      return steps
    }
    let steps = try decide()
    try LayerFile.replace(path, with: "\(steps)")
    return steps
  }

  /// The tensors of all finished layers.
  package func healedTensors() throws -> HealedTensors {
    var all = HealedTensors()
    for layer in 0..<(try finishedLayers()) {
      if let tensors = try LayerFile.read(layerPath(layer), layer: layer) {
        all.merge(tensors)
      }
    }
    return all
  }
}

/// The refitted tensors of one layer in a safetensors file, named `role.parameter` or, of an expert,
/// `role.parameter.expert`, f32.
///
/// They are read back mapped, so that the results of a large model need no memory.
package enum LayerFile {
  static func write(_ tensors: HealedTensors, to path: String) throws {
    let named = tensors.views.map { (name(of: $0.key), $0.value) }
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
    try move(path + ".new", to: path)
  }

  /// The tensors in the file at `path`, or nil when the layer has none.
  static func read(_ path: String, layer: Int) throws -> HealedTensors? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try SafetensorsFile(path: path)
    var tensors = HealedTensors()
    for tensor in file.tensors {
      guard let address = address(named: tensor.name, layer: layer) else {
        throw HealingError.file(path, operation: "read", errno: EINVAL)
      }
      tensors.set(address, to: try file.view(tensor.name))
    }
    return tensors
  }

  static func name(of address: TensorAddress) -> String {
    let name = "\(address.role.rawValue).\(address.parameter.rawValue)"
    switch address.expert {
    case nil: return name
    case .shared: return name + ".shared"
    case .routed(let expert): return name + ".\(expert)"
    }
  }

  private static func address(named name: String, layer: Int) -> TensorAddress? {
    let parts = name.split(separator: ".").map(String.init)
    guard parts.count == 2 || parts.count == 3, let role = TensorAddress.Role(rawValue: parts[0]),
      let parameter = TensorAddress.Parameter(rawValue: parts[1])
    else { return nil }
    guard parts.count == 3 else { return TensorAddress(role, parameter, layer: layer) }
    if parts[2] == "shared" {
      return TensorAddress(role, parameter, layer: layer, expert: .shared)
    }
    return Int(parts[2]).map { TensorAddress(role, parameter, layer: layer, expert: .routed($0)) }
  }

  /// Writes a small text so that it is there whole or not at all, even after a crash.
  package static func replace(_ path: String, with text: String) throws {
    let stream = try FileStream(path: path + ".new")
    try stream.write(Array(text.utf8))
    _ = try stream.finish()
    try move(path + ".new", to: path)
  }

  private static func move(_ from: String, to path: String) throws {
    guard rename(from, path) == 0 else {
      throw HealingError.file(path, operation: "rename", errno: errno)
    }
  }
}
