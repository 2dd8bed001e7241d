import Architectures
import ArgumentParser
import Checkpoints
import Foundation
import Runtime
import StrictJSON
import TensorTypes

/// `logits`: what the model computes, as numbers.
struct Logits: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes f32 logits [T, V] of given tokens to a safetensors file.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("Token ids, such as 1,2,3.", valueName: "ids"))
  var tokens: String

  @Flag(
    help: "Also write hidden.N [T, H], the residual stream entering layer N and after the last.")
  var layers = false

  @Flag(help: "Run token by token through the decoding state.")
  var stepwise = false

  @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    let ids = try InputError.numbers(in: tokens, option: "--tokens")
    let runnable = try RunnableModel(ckpt, limits: limits)
    let model = runnable.model
    var state = DecodingState(for: model.description)
    let streams = (0...model.description.layers.count).map { _ in
      FloatMatrix(rows: layers ? ids.count : 0, columns: model.description.hiddenSize)
    }
    let logits = FloatMatrix(rows: ids.count, columns: model.description.vocabularySize)
    let pieces = stepwise ? ids.indices.map { $0..<$0 + 1 } : [ids.startIndex..<ids.endIndex]
    for piece in pieces {
      let hidden = try model.extend(&state, with: Array(ids[piece])) { layer, first, stream in
        guard layers else { return }
        streams[layer].copyRows(of: stream, to: piece.lowerBound + first)
      }
      for row in 0..<hidden.rows {
        logits.copyRows(
          of: try model.logits(hidden, rows: row..<row + 1), to: piece.lowerBound + row)
      }
    }
    var tensors = [("logits", logits)]
    if layers { tensors += streams.enumerated().map { ("hidden.\($0.offset)", $0.element) } }
    try FloatTensorFile.write(tensors, to: output)
    reporting.report(
      ["output": .string(output), "tokens": .int(ids.count), "vocab": .int(logits.columns)],
      text: "wrote \(output): logits [\(ids.count), \(logits.columns)]"
        + (layers ? " and \(streams.count) hidden streams" : ""))
  }
}

/// Small safetensors files of f32 tensors.
enum FloatTensorFile {
  /// Writes `tensors` to the file `path`, which appears complete or not at all.
  static func write(_ tensors: [(name: String, matrix: FloatMatrix)], to path: String) throws {
    defer { withExtendedLifetime(tensors) {} }
    try write(
      tensors.map { ($0.name, [$0.matrix.rows, $0.matrix.columns], $0.matrix.elements) },
      metadata: [:], to: path)
  }

  /// Writes named f32 tensors and metadata to the file `path`.
  static func write(
    _ tensors: [(name: String, shape: [Int], values: UnsafeMutableBufferPointer<Float>)],
    metadata: [String: String], to path: String
  ) throws {
    let header = try SafetensorsHeader(
      file: path,
      entries: tensors.map { .init(name: $0.name, type: .float32, shape: Shape($0.shape)) },
      metadata: metadata.isEmpty ? ["format": "pt"] : metadata)
    let values = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
    let file = try AtomicFile(path: path, force: true)
    try file.write(header.bytes)
    for tensor in header.tensors {
      if let buffer = values[tensor.name] { try file.write(UnsafeRawBufferPointer(buffer)) }
    }
    try file.commit()
  }
}
