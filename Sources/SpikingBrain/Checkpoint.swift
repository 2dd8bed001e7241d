@_exported public import Pipeline
@_exported public import StepSettings

/// A checkpoint on disk, and what can be made of it: the program's steps as functions.
///
/// A path is whatever the command line takes: a Hugging Face directory, a .gguf file, one of this
/// program's own directories. Every function that writes returns the checkpoint that it wrote; the
/// directory appears complete or not at all. Each throws a `ReportableError` that says what is wrong,
/// where, and what to do.
///
///     let source = Checkpoint("models/SmolLM2-135M")
///     let converted = try source.convert(to: "converted")
///     let healed = try converted.heal(teacher: source, texts: ["book.txt"], to: "healed")
///     print(try healed.generate("Once upon a time"))
public struct Checkpoint: Sendable {
  /// Where it is.
  public let path: String
  /// Limits of what is done with it, how outputs that are there already are treated, and who
  /// listens: `context.listener` gets progress and notes.
  public var context: Context

  /// The checkpoint at `path`, which is opened when it is used.
  public init(_ path: String, context: Context = Context()) {
    self.path = path
    self.context = context
  }

  /// A Transformer as a SpikingBrain model: linear attention and sliding windows in turn.
  ///
  /// - Parameters:
  ///   - output: the directory to write.
  ///   - change: changes the settings from their defaults, the public 7B layout.
  public func convert(
    to output: String, _ change: (inout ConvertSettings) -> Void = { _ in }
  ) throws -> Checkpoint {
    try make(ConvertStep.self, change, to: output)
  }

  /// The checkpoint with its linear layers refitted to do what `teacher` does.
  ///
  /// - Parameters:
  ///   - teacher: what it was converted from.
  ///   - texts: paths of UTF-8 texts to fit on; evaluate on others.
  ///   - output: the directory to write.
  public func heal(
    teacher: Checkpoint, texts: [String], to output: String,
    _ change: (inout HealSettings) -> Void = { _ in }
  ) throws -> Checkpoint {
    try make(
      HealStep.self,
      {
        $0.text = texts
        change(&$0)
      }, teacher: teacher, to: output)
  }

  /// The checkpoint with experts in the place of its dense feed-forward parts.
  ///
  /// - Parameters:
  ///   - teacher: with clustered routers, the model that experts are refitted towards.
  ///   - output: the directory to write.
  public func upcycle(
    teacher: Checkpoint? = nil, to output: String,
    _ change: (inout UpcycleSettings) -> Void = { _ in }
  ) throws -> Checkpoint {
    try make(UpcycleStep.self, change, teacher: teacher, to: output)
  }

  /// The checkpoint with spiking activations, their thresholds measured on `texts`.
  public func calibrate(
    texts: [String], to output: String, _ change: (inout CalibrateSettings) -> Void = { _ in }
  ) throws -> Checkpoint {
    try make(
      CalibrateStep.self,
      {
        $0.text = texts
        change(&$0)
      }, to: output)
  }

  /// The checkpoint in the form that the loader of `profile` accepts; `ExportStep.profiles` lists
  /// them.
  public func export(
    profile: String, to output: String, _ change: (inout ExportSettings) -> Void = { _ in }
  ) throws -> Checkpoint {
    try make(
      ExportStep.self,
      {
        $0.profile = profile
        change(&$0)
      }, to: output)
  }

  /// Checks structure, hashes, values and logits; `report.passed` says whether all is right.
  ///
  /// - Parameter source: what it was made from, if that is to be compared too.
  public func verify(
    source: Checkpoint? = nil, _ change: (inout VerifySettings) -> Void = { _ in }
  ) throws -> Report {
    try check(VerifyStep.self, change, source: source)
  }

  /// The perplexity of the text at `text`, beside the distance from `teacher` if there is one.
  public func evaluate(
    text: String, teacher: Checkpoint? = nil,
    _ change: (inout EvaluateSettings) -> Void = { _ in }
  ) throws -> Report {
    try check(
      EvaluateStep.self,
      {
        $0.text = text
        change(&$0)
      }, source: teacher)
  }

  /// The figures of tasks, files as lm-eval reads them.
  public func evaluate(
    tasks: [String], _ change: (inout EvaluateSettings) -> Void = { _ in }
  ) throws -> Report {
    try check(
      EvaluateStep.self,
      {
        $0.tasks.files = tasks
        change(&$0)
      }, source: nil)
  }

  /// What follows `prompt`.
  ///
  /// - Parameters:
  ///   - change: changes the settings: greedy, 64 tokens.
  ///   - emit: is given the text as it comes, and says whether to go on.
  public func generate(
    _ prompt: String, _ change: (inout Settings<GenerateKeys>) -> Void = { _ in },
    emit: (String) -> Bool = { _ in true }
  ) throws -> String {
    var settings = Settings<GenerateKeys>()
    settings.prompt = prompt
    change(&settings)
    var text = ""
    _ = try GenerateStep(settings).run(path, context) { piece in
      text += piece
      return emit(piece)
    }
    return text
  }

  private func make<Kind: CheckpointStep>(
    _ kind: Kind.Type, _ change: (inout Settings<Kind.Keys>) -> Void,
    teacher: Checkpoint? = nil, to output: String
  ) throws -> Checkpoint {
    var settings = Settings<Kind.Keys>()
    change(&settings)
    _ = try Kind(settings).run(path, teacher: teacher?.path, to: output, context)
    return Checkpoint(output, context: context)
  }

  private func check<Kind: CheckStep>(
    _ kind: Kind.Type, _ change: (inout Settings<Kind.Keys>) -> Void, source: Checkpoint?
  ) throws -> Report {
    var settings = Settings<Kind.Keys>()
    change(&settings)
    return try Kind(settings).run(path, source: source?.path, context)
  }
}
