import Architectures
import Checkpoints
import Foundation
import Healing
import TensorTypes

/// The files of a running quantisation: the residual stream entering a layer, and the tensors of
/// finished layers.
///
/// A layer reads one stream and writes the next; what it read is removed only when its result is
/// recorded, so a run that is killed anywhere continues with the layer it was in.
struct QuantizationWorkspace {
  let directory: String
  let columns: Int

  func stream(entering layer: Int) throws(HealingError) -> HiddenStream {
    try HiddenStream(path: streamPath(layer), columns: columns)
  }

  private func streamPath(_ layer: Int) -> String { "\(directory)/hidden.\(layer)" }
  private func layerPath(_ layer: Int) -> String { "\(directory)/int8.\(layer).safetensors" }
  private func reportPath(_ layer: Int) -> String { "\(directory)/int8.\(layer).json" }
  private var finishedPath: String { directory + "/int8.finished" }

  /// The number of layers that are done.
  func finishedLayers() -> Int {
    FileManager.default.contents(atPath: finishedPath)
      .flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
  }

  /// Keeps the tensors of a layer on disk and returns them from there.
  func keep(_ tensors: HealedTensors, ofLayer layer: Int) throws -> HealedTensors {
    let named = try tensors.views.map { address, view in
      guard let name = SpikingBrainLayout.names.name(of: address) else {
        throw QuantizationError.unreadable(layerPath(layer))
      }
      return (name, view)
    }
    try LayerFile.write(Dictionary(uniqueKeysWithValues: named), to: layerPath(layer))
    return try self.tensors(ofLayer: layer)
  }

  /// The tensors of a finished layer, mapped.
  func tensors(ofLayer layer: Int) throws -> HealedTensors {
    let file = try SafetensorsFile(path: layerPath(layer))
    var tensors = HealedTensors()
    for tensor in file.tensors {
      guard case .tensor(let address) = SpikingBrainLayout.names.match(tensor.name) else {
        throw QuantizationError.unreadable(layerPath(layer))
      }
      tensors.set(address, to: try file.view(tensor.name))
    }
    return tensors
  }

  /// What was found of a finished layer.
  func report(ofLayer layer: Int) throws -> WeightQuantizer.LayerReport {
    guard let data = FileManager.default.contents(atPath: reportPath(layer)),
      let report = try? JSONDecoder().decode(WeightQuantizer.LayerReport.self, from: data)
    else { throw QuantizationError.unreadable(reportPath(layer)) }
    return report
  }

  /// Records that a layer is done and removes what it read.
  func finish(_ report: WeightQuantizer.LayerReport) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(report), as: UTF8.self)
    try LayerFile.replace(reportPath(report.layer), with: text)
    try stream(entering: report.layer + 1).sync()
    try LayerFile.replace(finishedPath, with: "\(report.layer + 1)")
    try? FileManager.default.removeItem(atPath: streamPath(report.layer))
  }
}
