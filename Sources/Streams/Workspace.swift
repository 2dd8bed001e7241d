import Checkpoints
package import Communication
import Foundation

/// The files of a sweep through the layers of a model: streams, and what was made and found of
/// finished layers.
///
/// A layer reads the streams that enter it and writes new files; what it read is removed only when
/// its result is recorded, so a run that is killed anywhere continues with the layer it was in.
///
/// Several ranks keep a stream each, at the places of a single one: what is another's is a hole.
/// Everything else is the first rank's.
package struct Workspace {
  /// Where the files are.
  package let directory: String
  private let ranks: Communicator

  /// The files in `directory`, which exists.
  package init(directory: String, ranks: Communicator = .single) {
    self.directory = directory
    self.ranks = ranks
  }

  /// The directory of this rank's streams.
  private var streams: String {
    ranks.isFirst ? directory : "\(directory)/rank\(ranks.rank)"
  }

  /// Where this rank has the stream `name`; of one that goes from layer to layer, where it enters
  /// `layer`.
  func path(_ name: String, entering layer: Int? = nil) -> String {
    if !ranks.isFirst { mkdir(streams, 0o777) }
    return "\(streams)/\(name)" + (layer.map { ".\($0)" } ?? "")
  }

  private func layerName(_ layer: Int) -> String { "layer.\(layer).safetensors" }

  private func layerPath(_ layer: Int) -> String { directory + "/" + layerName(layer) }

  private func reportPath(_ layer: Int) -> String { "\(directory)/layer.\(layer).json" }

  private func streamsPath(_ layer: Int) -> String { "\(streams)/streams.\(layer).json" }

  /// What a layer leaves for later runs.
  private struct Layer<Report: Codable>: Codable {
    var report: Report
    /// The file of its tensors, when it has any.
    var tensors: FileRecord?
  }

  /// A report of which nothing is asked.
  private struct AnyReport: Codable {}

  /// The number of layers that are done.
  package func finishedLayers() throws -> Int {
    try SealedFile.read(directory + "/finished") ?? 0
  }

  /// The layer to go on with. Its streams are what they were when it was begun, or this throws: of
  /// others a later run would make another model without a word.
  func start() throws -> Int {
    let layer = try ranks.first { try finishedLayers() }
    try ranks.together {
      guard layer > 0 else { return }
      guard let records: [FileRecord] = try SealedFile.read(streamsPath(layer)) else {
        throw StreamError.changed(path: streamsPath(layer))
      }
      for record in records { try record.requireIntact(in: streams) }
    }
    return layer
  }

  /// Keeps the tensors of `layer` on disk and returns them from there.
  func keep(_ tensors: LayerTensors, ofLayer layer: Int) throws -> LayerTensors {
    let path = layerPath(layer)
    try ranks.together {
      if ranks.isFirst { try LayerFile.write(tensors, to: path) }
    }
    return try LayerFile.read(path) ?? tensors
  }

  /// The tensors of all finished layers.
  func tensors() throws -> LayerTensors {
    var all = LayerTensors()
    for layer in 0..<(try finishedLayers()) {
      let found: Layer<AnyReport> = try record(ofLayer: layer)
      guard let record = found.tensors else { continue }
      try record.requireIntact(in: directory)
      if let tensors = try LayerFile.read(layerPath(layer)) { all.merge(tensors) }
    }
    return all
  }

  /// What was found of a finished layer.
  func report<Report: Codable>(ofLayer layer: Int) throws -> Report {
    try record(ofLayer: layer).report
  }

  private func record<Report: Codable>(ofLayer layer: Int) throws -> Layer<Report> {
    guard let record: Layer<Report> = try SealedFile.read(reportPath(layer)) else {
      throw StreamError.changed(path: reportPath(layer))
    }
    return record
  }

  /// Records that a layer is done, and what the streams `names` that leave it are.
  func finish(_ layer: Int, _ report: some Codable, leaving names: [String]) throws {
    try ranks.together {
      let records = try names.map { name in
        try HiddenStream(path: path(name, entering: layer + 1), columns: 1).sync()
        return try FileRecord(of: "\(name).\(layer + 1)", in: streams)
      }
      try SealedFile.write(records, to: streamsPath(layer + 1))
    }
    try ranks.together {
      guard ranks.isFirst else { return }
      let tensors =
        FileManager.default.fileExists(atPath: layerPath(layer))
        ? try FileRecord(of: layerName(layer), in: directory) : nil
      try SealedFile.write(
        Layer(report: report, tensors: tensors), to: reportPath(layer),
        otherwise: StreamError.diverged(layer: layer))
      try SealedFile.write(layer + 1, to: directory + "/finished")
    }
    unlink(streamsPath(layer))
  }

  /// What `decide` gave when it was first asked: a run that goes on does so with the same.
  package func once<Value: Codable>(_ name: String, decide: () throws -> Value) throws -> Value {
    let path = directory + "/" + name
    if let value: Value = try SealedFile.read(path) { return value }
    let value = try decide()
    try SealedFile.write(value, to: path)
    return value
  }
}
