import Architectures
import ChatTemplates
import Checkpoints
import Foundation
import Foundations
import InputFiles
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
    let prompt = try promptText()
    if prompt.isEmpty, settings.state == nil || settings.chat {
      throw InputError.option(
        "--prompt", value: "empty",
        expected: settings.chat ? "a message with --chat" : "a text, or a --state to go on with")
    }
    let runnable = try RunnableModel(context.local(path), context)
    let saved = settings.saveState.map {
      FloatTensorFile(
        path: $0, kind: .state, force: context.mode.force, inputs: runnable.file.inputs)
    }
    try saved?.requireReplaceable()
    let tokenizer = try runnable.file.tokenizer.load()
    let resumed = try settings.state.map {
      try StateFile.read($0, for: StateFile.Owner(runnable.file)).state
    }
    let ids = try tokens(of: prompt, tokenizer, runnable, after: resumed)
    try runnable.model.description.requireRows(for: ids, text: tokenizer.token(of:))
    for note in try runnable.file.generationNotes(isGreedy: settings.temperature == 0) {
      context.note(note)
    }
    var generation = Generation(
      model: runnable.model, state: resumed ?? DecodingState(for: runnable.model.description),
      sampler: Sampler(
        temperature: settings.temperature, topP: settings.topP, seed: settings.seed),
      endTokens: try runnable.file.endTokens())
    var decoder = StreamingDecoder(tokenizer)
    let started = Date()
    var text = ""
    var read: Date?
    let reading =
      ids.count > Model.segment ? context.progress("reading", unit: .things("tokens")) : nil
    let generated = try generation.run(
      prompt: ids, maxTokens: settings.maxTokens,
      reading: { done in
        reading?.update(done: done, total: ids.count)
        guard done == ids.count else { return }
        read = Date()
        reading?.finish()
      }
    ) { token in
      let piece = decoder.append(token)
      text += piece
      // Nobody reads on, and there is nothing else to go on for.
      return emit(piece) || settings.saveState != nil
    }
    let rest = decoder.finish()
    text += rest
    _ = emit(rest)
    let ended = Date()
    let promptSeconds = (read ?? ended).timeIntervalSince(started)
    let seconds = ended.timeIntervalSince(started)
    if let saved {
      try StateFile.write(generation.state, of: StateFile.Owner(runnable.file), to: saved)
    }
    return Report(
      json: [
        "prompt_tokens": .ints(ids), "tokens": .ints(generated), "text": .string(text),
        "prompt_seconds": .double(promptSeconds), "seconds": .double(seconds),
      ],
      text: "(read \(speed(ids.count, promptSeconds)), "
        + "generated \(speed(generated.count, seconds - promptSeconds)))")
  }

  private func speed(_ tokens: Int, _ seconds: Double) -> String {
    let count = counted(tokens, "token")
    return tokens == 0 ? count : count + " at \(fixed(Double(tokens) / max(seconds, 1e-3), 1))/s"
  }

  /// The text of --prompt or --prompt-file; empty for none.
  private func promptText() throws -> String {
    guard let file = settings.promptFile else { return settings.prompt }
    guard settings.prompt.isEmpty else {
      throw InputError.option("--prompt-file", value: file, expected: "no --prompt beside it")
    }
    var bytes = try InputFile.readText(file)
    // Editors and echo end a file so; a model would read it as a new paragraph.
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The tokens to read before the first one is generated; none where a state is merely continued.
  private func tokens(
    of prompt: String, _ tokenizer: Tokenizer, _ runnable: RunnableModel,
    after state: DecodingState?
  ) throws -> [Int] {
    if prompt.isEmpty {
      if let state, !state.last.isEmpty { return [] }
      throw InputError.option(
        "--prompt", value: "empty", expected: "a text after a state that an earlier version saved")
    }
    guard settings.chat else {
      // A continued text has its BOS already.
      let ids = tokenizer.encode(prompt, addSpecialTokens: state == nil)
      if ids.isEmpty { throw InputError.option("--prompt", value: "empty", expected: "a text") }
      return ids
    }
    let template = try runnable.file.tokenizer.chatTemplate()
    let rendered =
      try state == nil
      ? template.render([ChatMessage(role: "user", content: prompt)])
      : template.nextTurn(prompt)
    return tokenizer.encode(rendered, addSpecialTokens: false)
  }
}
