import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import ModelFiles
import Runtime
import StrictJSON
import TensorTypes
import Tokenization

/// `generate`: runs a model, source or converted.
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a prompt.",
    discussion: "--temperature 0 (the default) is greedy; the same seed gives the same text.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("The text to continue.", valueName: "text"))
  var prompt: String

  @Option(parsing: .unconditional, help: "Most tokens to generate.")
  var maxTokens = 64

  @Option(parsing: .unconditional, help: "0 is greedy; 1 samples from the model's distribution.")
  var temperature = 0.0

  @Option(
    parsing: .unconditional,
    help: "Sample from the most likely tokens that make up this probability.")
  var topP = 1.0

  @Option(help: "Seed of the sampler.")
  var seed: UInt64 = 0

  @Flag(help: "Treat the prompt as a user's message in the checkpoint's chat format.")
  var chat = false

  @Option(help: ArgumentHelp("Continue from a saved state.", valueName: "file"))
  var state: String?

  @Option(help: ArgumentHelp("Save the state after the last token.", valueName: "file"))
  var saveState: String?

  @Flag(help: "Replace an existing FILE of --save-state that holds no state.")
  var force = false

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    guard maxTokens >= 0 else {
      throw InputError.option("--max-tokens", value: "\(maxTokens)", expected: "0 or more")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw InputError.option("--temperature", value: "\(temperature)", expected: "0 or more")
    }
    guard topP > 0, topP <= 1 else {
      throw InputError.option("--top-p", value: "\(topP)", expected: "more than 0, at most 1")
    }
    let runnable = try RunnableModel(ckpt, limits: limits)
    let saved = saveState.map {
      FloatTensorFile(path: $0, kind: .state, force: force, inputs: runnable.file.inputs)
    }
    try saved?.requireReplaceable()
    let tokenizer = try runnable.file.tokenizer.load()
    let resumed = try state.map { try StateFile.read($0, for: runnable.file) }
    let ids = try promptTokens(tokenizer, runnable, continues: resumed != nil)
    try runnable.model.description.requireRows(for: ids, text: tokenizer.token(of:))
    var generation = Generation(
      model: runnable.model, state: resumed ?? DecodingState(for: runnable.model.description),
      sampler: Sampler(temperature: temperature, topP: topP, seed: seed),
      endTokens: try runnable.file.endTokens())
    var decoder = StreamingDecoder(tokenizer)
    let started = Date()
    var text = ""
    let generated = try generation.run(prompt: ids, maxTokens: maxTokens) { token in
      let piece = decoder.append(token)
      text += piece
      if !reporting.json { Terminal.continueText(piece) }
      // Nobody reads on (`| head`), and there is nothing else to go on for.
      return !Terminal.isUnread || saveState != nil
    }
    let rest = decoder.finish()
    text += rest
    if !reporting.json { Terminal.continueText(rest + "\n") }
    let seconds = Date().timeIntervalSince(started)
    if let saved {
      try StateFile.write(generation.state, of: runnable.file, to: saved)
    }
    if reporting.json {
      reporting.report(
        [
          "prompt_tokens": .ints(ids), "tokens": .ints(generated), "text": .string(text),
          "seconds": .double(seconds),
        ], text: "")
    } else if Terminal.isInteractive {
      let rate = fixed(Double(generated.count) / max(seconds, 1e-3), 1)
      reporting.note("(\(counted(generated.count, "token")), \(rate)/s with the prompt)")
    }
  }

  private func promptTokens(
    _ tokenizer: Tokenizer, _ runnable: RunnableModel, continues: Bool
  ) throws -> [Int] {
    guard chat else {
      // A continued text has its BOS already.
      let ids = tokenizer.encode(prompt, addSpecialTokens: !continues)
      if ids.isEmpty { throw InputError.option("--prompt", value: "empty", expected: "a text") }
      return ids
    }
    let rendered = try runnable.file.tokenizer.chatTemplate()
      .render([ChatMessage(role: "user", content: prompt)], addGenerationPrompt: true)
    return tokenizer.encode(rendered, addSpecialTokens: false)
  }
}

extension StateFile {
  /// The state in the safetensors file at `path`.
  static func read(_ path: String, for file: ModelFile) throws -> DecodingState {
    let stored = try SafetensorsFile(path: path)
    let views = try stored.tensors.map { ($0.name, try stored.view($0.name)) }
    return try state(
      in: path, metadata: stored.metadata, tensors: Dictionary(uniqueKeysWithValues: views),
      for: try Owner(file))
  }

  /// Writes `state` to `file`.
  static func write(
    _ state: DecodingState, of model: ModelFile, to file: FloatTensorFile
  ) throws {
    let saved = StateFile(state, of: try Owner(model))
    let matrices = saved.layers.map { numbers in
      let matrix = FloatMatrix(rows: 1, columns: numbers.count)
      _ = matrix.elements.update(fromContentsOf: numbers)
      return matrix
    }
    defer { withExtendedLifetime(matrices) {} }
    try file.write(
      matrices.enumerated().map { ("state.\($0.offset)", [$0.element.count], $0.element.elements) },
      metadata: saved.metadata)
  }
}

extension StateFile.Owner {
  fileprivate init(_ file: ModelFile) throws {
    self.init(file.description, weights: try WeightsSample.hash(of: file)) { feed in
      var hash = SHA256()
      feed { hash.update($0) }
      return hash.finish().hex
    }
  }
}
