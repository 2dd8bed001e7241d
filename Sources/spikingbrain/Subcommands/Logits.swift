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

  @Flag(help: "Replace an existing FILE that this command did not write.")
  var force = false

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    let ids = try InputError.numbers(in: tokens, option: "--tokens")
    let runnable = try RunnableModel(ckpt, limits: limits)
    let file = FloatTensorFile(
      path: output, kind: .logits, force: force, inputs: runnable.file.inputs)
    try runnable.model.description.requireRows(for: ids)
    try file.requireReplaceable()
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
    try file.write(tensors)
    reporting.report(
      ["output": .string(output), "tokens": .int(ids.count), "vocab": .int(logits.columns)],
      text: "wrote \(output): logits [\(ids.count), \(logits.columns)]"
        + (layers ? " and \(streams.count) hidden streams" : ""))
  }
}

/// A small safetensors file of f32 tensors that a command writes, and may write again.
struct FloatTensorFile {
  let path: String
  let kind: Kind
  /// Whether a file that is something else is replaced.
  let force: Bool
  /// What is read meanwhile, and never replaced.
  let inputs: [String]

  /// What the file holds, as its metadata says.
  enum Kind: String {
    case logits, state
  }

  private static let key = "spikingbrain"

  /// Throws when a file is there that may not be replaced: before hours, not after.
  func requireReplaceable() throws {
    try AtomicFile.checkReplaceable(path, force: force, inputs: inputs, isOwn: isOwn)
  }

  /// Writes `tensors`; the file appears complete or not at all.
  func write(_ tensors: [(name: String, matrix: FloatMatrix)]) throws {
    defer { withExtendedLifetime(tensors) {} }
    try write(
      tensors.map { ($0.name, [$0.matrix.rows, $0.matrix.columns], $0.matrix.elements) },
      metadata: ["format": "pt"])
  }

  /// Writes named f32 tensors and metadata.
  func write(
    _ tensors: [(name: String, shape: [Int], values: UnsafeMutableBufferPointer<Float>)],
    metadata: [String: String]
  ) throws {
    let header = try SafetensorsHeader(
      file: path,
      entries: tensors.map { .init(name: $0.name, type: .float32, shape: Shape($0.shape)) },
      metadata: metadata.merging([Self.key: kind.rawValue]) { $1 })
    let values = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
    let file = try AtomicFile(path: path, force: force, inputs: inputs, isOwn: isOwn)
    try file.write(header.bytes)
    for tensor in header.tensors {
      if let buffer = values[tensor.name] { try file.write(UnsafeRawBufferPointer(buffer)) }
    }
    try file.commit()
  }

  /// Whether the file at `path` is one of this kind.
  private func isOwn(_ path: String) -> Bool {
    guard let metadata = (try? SafetensorsFile(path: path))?.metadata else { return false }
    // The first states had no mark but what they cannot be without.
    return metadata[Self.key] == kind.rawValue
      || kind == .state && metadata["position"] != nil && metadata["model"] != nil
  }
}
