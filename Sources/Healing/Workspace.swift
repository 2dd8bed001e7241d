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

  /// What a layer leaves for later runs.
  private struct Layer<Report: Codable>: Codable {
    var report: Report
    /// The file of its tensors, when it has any.
    var tensors: FileRecord?
  }

  /// The number of layers that are done.
  package func finishedLayers() throws -> Int {
    try SealedFile.read(directory + "/finished") ?? 0
  }

  /// The layer to go on with. Its streams are what they were when it was begun, or this throws: of
  /// others a later run would make another model without a word.
  package func start() throws -> Int {
    let layer = try ranks.first { try finishedLayers() }
    try ranks.together {
      guard layer > 0 else { return }
      guard let records: [FileRecord] = try SealedFile.read(streamsPath(layer)) else {
        throw HealingError.changed(path: streamsPath(layer))
      }
      for record in records { try record.requireIntact(in: streams) }
    }
    return layer
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

  private func streamsPath(_ layer: Int) -> String { "\(streams)/streams.\(layer).json" }

  /// What was found of a finished layer.
  package func report<Report: Codable>(ofLayer layer: Int) throws -> Report {
    try record(ofLayer: layer).report
  }

  private func record<Report: Codable>(ofLayer layer: Int) throws -> Layer<Report> {
    guard let record: Layer<Report> = try SealedFile.read(reportPath(layer)) else {
      throw HealingError.changed(path: reportPath(layer))
    }
    return record
  }

  /// Records that a layer is done and removes what it read.
  package func finish(_ layer: Int, _ report: some Codable) throws {
    try ranks.together {
      var records: [FileRecord] = []
      for kind in Kind.allCases
      where FileManager.default.fileExists(atPath: path(kind, layer + 1)) {
        try stream(kind, entering: layer + 1).sync()
        records.append(try FileRecord(of: "\(kind.rawValue).\(layer + 1)", in: streams))
      }
      try SealedFile.write(records, to: streamsPath(layer + 1))
    }
    try ranks.together {
      guard ranks.isFirst else { return }
      let name = "layer.\(layer).safetensors"
      let tensors =
        FileManager.default.fileExists(atPath: layerPath(layer))
        ? try FileRecord(of: name, in: directory) : nil
      try SealedFile.write(
        Layer(report: report, tensors: tensors), to: reportPath(layer),
        otherwise: .diverged(layer: layer))
      try SealedFile.write(layer + 1, to: directory + "/finished")
    }
    for kind in Kind.allCases { unlink(path(kind, layer)) }
    unlink(streamsPath(layer))
  }

  /// The number of gradient steps per layer: decided once, since a time limit depends on how busy
  /// the machine is, and a resumed run must go on as it began.
  func steps(decide: () throws -> Int) throws -> Int {
    let path = directory + "/steps"
    if let steps: Int = try SealedFile.read(path) { return steps }
    let steps = try decide()
    try SealedFile.write(steps, to: path)
    return steps
  }

  /// The tensors of all finished layers.
  package func healedTensors() throws -> HealedTensors {
    var all = HealedTensors()
    for layer in 0..<(try finishedLayers()) {
      let found: Layer<AnyReport> = try record(ofLayer: layer)
      guard let record = found.tensors else { continue }
      try record.requireIntact(in: directory)
      if let tensors = try LayerFile.read(layerPath(layer), layer: layer) {
        all.merge(tensors)
      }
    }
    return all
  }
}

/// A report of which nothing is asked.
private struct AnyReport: Codable {}

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
        throw HealingError.changed(path: path)
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

  private static func move(_ from: String, to path: String) throws {
    guard rename(from, path) == 0 else {
      throw HealingError.file(path, operation: "rename", errno: errno)
    }
  }
}
