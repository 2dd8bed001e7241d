import Architectures
import Foundations
import InputFiles
import Mixers
import ModelFiles
import Runtime
import Tokenization
import Verification

/// A checkpoint, opened, and the tokens it is evaluated on.
struct EvaluationInput {
  let model: Model
  let teacher: Model?
  let tokens: [Int]
  /// The text's path, for messages.
  let text: String
  /// The ids that mean no text, such as the beginning of one.
  let special: Set<Int>

  /// Opens the checkpoint at `path` and encodes the first `limit` tokens of the file `text`.
  init(
    _ path: String, text: String, limit: Int?, teacher: String? = nil, ablate: String? = nil,
    _ context: Context
  ) throws {
    if let limit, limit < 2 {
      throw InputError.option("--tokens", value: "\(limit)", expected: "at least 2")
    }
    let runnable = try RunnableModel(
      path, ablate: ablate, isLast: teacher == nil, context)
    let description = runnable.model.description
    let reference = try teacher.map { try RunnableModel(teacher: $0, of: runnable.file, context) }
    let bytes = try InputFile.readText(text)
    let tokenizer = try runnable.file.tokenizer.load()
    let ids = tokenizer.encode(bytes: bytes)
    let named = description.specialTokens
    model = runnable.model
    self.teacher = reference?.model
    tokens = limit.map { Array(ids.prefix($0)) } ?? ids
    try description.requireRows(for: tokens, text: tokenizer.token(of:))
    self.text = text
    special = Set(
      tokenizer.specialTokens.map(\.id) + named.end
        + [named.beginning, named.padding].compactMap(\.self))
    try require(2)
  }

  /// Throws when there are fewer than `count` tokens.
  func require(_ count: Int) throws {
    guard tokens.count >= count else {
      throw InputError.textTooShort(file: text, tokens: tokens.count, needed: count)
    }
  }

  /// What a user should know of segments of `context` tokens: the model was not made for as many,
  /// or some of its layers do not see them whole. nil when there is nothing.
  func note(context: Int) -> String? {
    let length = min(context, tokens.count), model = model.description
    let segments = "note: segments of \(counted(length, "token")) are longer than "
    if length > model.maximumPositions {
      return segments + "the \(model.maximumPositions) positions the model was made for"
    }
    guard let window = model.layers.compactMap({ $0.mixer.window?.size }).min(), length > window
    else { return nil }
    let windowed = model.layers.count { $0.mixer.window != nil }, all = model.layers.count
    return segments + "the window of \(window): "
      + (windowed == all
        ? "its layers see no further" : "\(windowed) of \(all) layers see no further")
  }

  /// Evaluates the model in segments of `context` tokens, against the teacher if there is one.
  func evaluate(segments length: Int, _ context: Context) throws -> Evaluation {
    let progress = context.progress("evaluating", unit: .things("tokens"))
    defer { progress.finish() }
    return try Evaluation(of: model, on: tokens, context: length, teacher: teacher) {
      progress.update(done: Int($0 * Double(tokens.count)), total: tokens.count)
    }
  }
}
