import ChatTemplates
import StepSettings
import Verification
import Yams

/// A task of lm-eval: what is asked of a model, how the questions are made of documents, and which
/// figures the answers give.
///
/// Read from the YAML file that lm-eval reads. Every key is used, harmless, or refused by name
/// (`TaskFile+Keys.swift`).
struct TaskFile {
  /// What is asked.
  enum Output: String, CaseIterable {
    /// How likely is this text, and would greedy decoding have written it?
    case likelihood = "loglikelihood"
    /// Which of these texts is likeliest?
    case choice = "multiple_choice"
    /// What does greedy decoding write?
    case generation = "generate_until"

    /// What can be measured; the first ones are where the file does not say.
    var metrics: [TaskMetric] {
      switch self {
      case .likelihood: [.perplexity, .accuracy]
      case .choice: [.accuracy, .normalizedAccuracy, .exactMatch]
      case .generation: [.exactMatch]
      }
    }

    /// What is measured where the file does not say.
    var usualMetrics: [TaskMetric] { Array(metrics.prefix(2)) }
  }

  /// A value that each document gives anew.
  enum Field {
    /// A name of the documents' members where they have it, or else a template.
    case text(String, DocumentTemplate)
    /// The same for all documents.
    case number(Int)
    /// The same for all documents.
    case texts([String])
  }

  /// How an answer is generated.
  struct Generation: Equatable {
    /// Texts that end it, none of them empty.
    var stops: [String]
    /// Most tokens.
    var maxTokens = 256
  }

  /// The file.
  let file: String
  /// The task's name, by which its figures are known.
  let name: String
  /// What is asked.
  let output: Output
  /// The file of the documents, one in a line.
  let data: String
  /// What stands before every text.
  let description: Field?
  /// The text that is gone on with.
  let text: Field
  /// What goes on with it, or which of the choices does.
  let target: Field
  /// The texts to choose from.
  let choices: Field?
  /// What stands between text and choice.
  let delimiter: String
  /// How answers are generated.
  let generation: Generation
  /// What is measured.
  let metrics: [TaskMetric]
  /// How texts are compared.
  let match: TextMatch

  /// Reads the task file at `path`.
  init(path: String) throws(RecipeError) {
    try self.init(yaml: try YAMLFile.text(path), file: path)
  }

  /// Reads a task; `file` is named in errors.
  init(yaml: String, file: String) throws(RecipeError) {
    let keys = try RecipeReader(
      try YAMLFile.root(of: yaml, file: file), describing: "a task", file: file)
    try keys.requireSupported()
    self.file = file
    name = try keys.requiredText("task")
    output = try keys.choice("output_type", among: Output.allCases, default: .generation)
    data = try keys.dataFile()
    description = try keys.field("description")
    text = try keys.requiredField("doc_to_text")
    target = try keys.requiredField("doc_to_target", takes: output == .choice ? .number : .text)
    let isChoice = output == .choice
    choices =
      isChoice
      ? try keys.requiredField("doc_to_choice", takes: .texts)
      : try keys.refuse("doc_to_choice", expected: "only in tasks of multiple_choice")
    delimiter = try keys.plainText("target_delimiter") ?? " "
    let separator = try keys.plainText("fewshot_delimiter") ?? "\n\n"
    generation =
      output == .generation
      ? try keys.generation(separator: separator)
      : try keys.refuse("generation_kwargs", expected: "only in tasks of generate_until")
        ?? Generation(stops: [])
    (metrics, match) = try keys.metrics(of: output)
  }
}
