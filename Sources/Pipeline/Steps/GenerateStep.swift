import Architectures
import ChatTemplates
import Checkpoints
import Foundation
import Foundations
import ModelFiles
import Runtime
public import StepSettings
import StrictJSON
import Tokenization

/// `generate`: runs a model, source or converted.
public struct GenerateStep: Step {
  public static let name = "generate"
  public let settings: Settings<GenerateKeys>

  public init(_ settings: Settings<GenerateKeys>) { self.settings = settings }

  /// Continues the prompt with the checkpoint `path`.
  ///
  /// - Parameter emit: is given the text as it comes, and says whether to go on.
  public func run(
    _ path: String, _ context: Context, emit: (String) -> Bool
  ) throws -> Report {
    try begin(context)
    if settings.prompt.isEmpty, settings.state == nil {
      throw InputError.option(
        "--prompt", value: "empty", expected: "a text, or a --state to go on with")
    }
    let runnable = try RunnableModel(path, context)
    let saved = settings.saveState.map {
      FloatTensorFile(
        path: $0, kind: .state, force: context.mode.force, inputs: runnable.file.inputs)
    }
    try saved?.requireReplaceable()
    let tokenizer = try runnable.file.tokenizer.load()
    let resumed = try settings.state.map { try StateFile.read($0, for: runnable.file) }
    let ids = try promptTokens(tokenizer, runnable, after: resumed)
    try runnable.model.description.requireRows(for: ids, text: tokenizer.token(of:))
    var generation = Generation(
      model: runnable.model, state: resumed ?? DecodingState(for: runnable.model.description),
      sampler: Sampler(
        temperature: settings.temperature, topP: settings.topP, seed: settings.seed),
      endTokens: try runnable.file.endTokens())
    var decoder = StreamingDecoder(tokenizer)
    let started = Date()
    var text = ""
    let generated = try generation.run(prompt: ids, maxTokens: settings.maxTokens) { token in
      let piece = decoder.append(token)
      text += piece
      // Nobody reads on, and there is nothing else to go on for.
      return emit(piece) || settings.saveState != nil
    }
    let rest = decoder.finish()
    text += rest
    _ = emit(rest)
    let seconds = Date().timeIntervalSince(started)
    if let saved { try StateFile.write(generation.state, of: runnable.file, to: saved) }
    let rate = fixed(Double(generated.count) / max(seconds, 1e-3), 1)
    return Report(
      json: [
        "prompt_tokens": .ints(ids), "tokens": .ints(generated), "text": .string(text),
        "seconds": .double(seconds),
      ], text: "(\(counted(generated.count, "token")), \(rate)/s with the prompt)")
  }

  /// The tokens to read before the first one is generated; none where a state is merely continued.
  private func promptTokens(
    _ tokenizer: Tokenizer, _ runnable: RunnableModel, after state: DecodingState?
  ) throws -> [Int] {
    if settings.prompt.isEmpty {
      if let state, !state.last.isEmpty { return [] }
      throw InputError.option(
        "--prompt", value: "empty", expected: "a text after a state that an earlier version saved")
    }
    guard settings.chat else {
      // A continued text has its BOS already.
      let ids = tokenizer.encode(settings.prompt, addSpecialTokens: state == nil)
      if ids.isEmpty { throw InputError.option("--prompt", value: "empty", expected: "a text") }
      return ids
    }
    let template = try runnable.file.tokenizer.chatTemplate()
    let rendered =
      try state == nil
      ? template.render([ChatMessage(role: "user", content: settings.prompt)])
      : template.nextTurn(settings.prompt)
    return tokenizer.encode(rendered, addSpecialTokens: false)
  }
}
