import Architectures
import Checkpoints
import Kernels
import Runtime
public import StepSettings
import StrictJSON

/// `logits`: what the model computes, as numbers.
public struct LogitsStep: CheckStep {
  public static let name = "logits"
  public let settings: Settings<LogitsKeys>

  public init(_ settings: Settings<LogitsKeys>) { self.settings = settings }

  public func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    let ids = try InputError.numbers(in: settings.tokens, option: "--tokens")
    let runnable = try RunnableModel(path, context)
    let file = FloatTensorFile(
      path: settings.output, kind: .logits, force: context.mode.force,
      inputs: runnable.file.inputs)
    try runnable.model.description.requireRows(for: ids)
    try file.requireReplaceable()
    let model = runnable.model
    var state = DecodingState(for: model.description)
    let streams = (0...model.description.layers.count).map { _ in
      FloatMatrix(
        rows: settings.layers ? ids.count : 0, columns: model.description.hiddenSize)
    }
    let logits = FloatMatrix(rows: ids.count, columns: model.description.vocabularySize)
    let pieces =
      settings.stepwise ? ids.indices.map { $0..<$0 + 1 } : [ids.startIndex..<ids.endIndex]
    for piece in pieces {
      let hidden = try model.extend(&state, with: Array(ids[piece])) { layer, first, stream in
        guard settings.layers else { return }
        streams[layer].copyRows(of: stream, to: piece.lowerBound + first)
      }
      for row in 0..<hidden.rows {
        logits.copyRows(
          of: try model.logits(hidden, rows: row..<row + 1), to: piece.lowerBound + row)
      }
    }
    var tensors = [("logits", logits)]
    if settings.layers {
      tensors += streams.enumerated().map { ("hidden.\($0.offset)", $0.element) }
    }
    try file.write(tensors)
    return Report(
      json: [
        "output": .string(settings.output), "tokens": .int(ids.count),
        "vocab": .int(logits.columns),
      ],
      text: "wrote \(settings.output): logits [\(ids.count), \(logits.columns)]"
        + (settings.layers ? " and \(streams.count) hidden streams" : ""))
  }
}
