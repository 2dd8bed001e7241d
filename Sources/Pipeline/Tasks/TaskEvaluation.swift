import Architectures
import Foundations
import ModelFiles
import Runtime
import StepSettings
import StrictJSON
import Tokenization
import Verification

/// The tasks of one run, read and checked before the model is opened.
struct TaskEvaluation {
  /// The questions of each task.
  private let tasks: [TaskQuestions]

  /// Reads the task files `files`, and the first `limit` documents of each; nil for all.
  init(files: [String], limit: Int?) throws {
    tasks = try files.map { file in
      let task = try TaskFile(path: file)
      let questions = TaskQuestions(
        task: task, documents: try TaskDocuments(path: task.data, limit: limit))
      // Whatever is wrong with a document is found before hours of running, and not after.
      for index in questions.documents.used.indices { _ = try questions.question(index) }
      return questions
    }
    for (index, questions) in tasks.enumerated() {
      let name = questions.task.name
      if let other = tasks[..<index].first(where: { $0.task.name == name }) {
        throw TaskFileError.sameName(name, files: [other.task.file, questions.task.file])
      }
    }
  }

  /// The figures of the model of `runnable`.
  ///
  /// - Parameter maximumLength: most tokens that it is given at once; nil for its own number.
  func run(_ runnable: RunnableModel, maximumLength: Int?, _ context: Context) throws -> Report {
    let file = runnable.file
    let encoder = try file.taskEncoder(maximumLength: maximumLength)
    for questions in tasks where questions.task.output == .generation {
      let generated = questions.task.generation.maxTokens
      guard generated < encoder.maximumLength else {
        throw TaskError.noRoom(
          generated: generated, limit: encoder.maximumLength, file: questions.task.file)
      }
    }
    if tasks.contains(where: { $0.task.output == .generation }) {
      for note in try file.generationNotes(isGreedy: true) { context.note(note) }
    }
    let endTokens = try file.endTokens()
    let results = try tasks.map { questions in
      var run = TaskRun(runnable.model, encoder: encoder, endTokens: endTokens)
      let figures = try run.figures(of: questions, context)
      return TaskResult(questions: questions, figures: figures, truncated: run.truncated)
    }
    for result in results {
      if let note = result.note(encoder.maximumLength) { context.note(note) }
    }
    return TaskResult.report(results)
  }
}

extension TaskRun {
  /// Puts all questions to the model.
  fileprivate mutating func figures(
    of questions: TaskQuestions, _ context: Context
  ) throws -> [TaskFigure] {
    let task = questions.task, count = questions.documents.used.count
    let progress = context.progress("evaluating \(task.name)", unit: .things("questions"))
    defer { progress.finish() }
    var values: [TaskMetric: [Double]] = [:]
    for index in 0..<count {
      for (metric, value) in try score(
        questions.question(index), of: task, place: questions.place(index))
      {
        values[metric, default: []].append(value)
      }
      progress.update(done: index + 1, total: count)
    }
    return task.metrics.map { TaskFigure($0, of: values[$0] ?? []) }
  }

  /// What the answer to one question is worth, by metric: 0 or 1, or a log-likelihood.
  private mutating func score(
    _ question: TaskQuestion, of task: TaskFile, place: String
  ) throws -> [TaskMetric: Double] {
    switch question.kind {
    case .likelihood(let text):
      let found = try likelihoods(of: [text], after: question.context, place: place)
      return [
        .perplexity: found[0].logProbability, .accuracy: found[0].isGreedy ? 1 : 0,
      ]
    case .choice(let choices, let right):
      let found = try likelihoods(
        of: choices.map { task.delimiter + $0 }, after: question.context, place: place)
      let scores = found.map(\.logProbability)
      let perCharacter = zip(scores, choices).map { $0 / Double($1.unicodeScalars.count) }
      return [
        .accuracy: scores.indexOfFirstLargest == right ? 1 : 0,
        .normalizedAccuracy: perCharacter.indexOfFirstLargest == right ? 1 : 0,
        .exactMatch: found[right].isGreedy ? 1 : 0,
      ]
    case .generation(let expected):
      let text = try answer(
        to: question.context, stops: task.generation.stops, maxTokens: task.generation.maxTokens,
        place: place)
      return [.exactMatch: task.match.matches(text, expected) ? 1 : 0]
    }
  }
}

extension [Double] {
  /// The place of the largest number, the first of equal ones.
  fileprivate var indexOfFirstLargest: Int {
    indices.reduce(0) { self[$1] > self[$0] ? $1 : $0 }
  }
}

extension ModelFile {
  /// What cuts a task's texts into this model's tokens.
  fileprivate func taskEncoder(maximumLength: Int?) throws -> TaskEncoder {
    let tokenizer = try tokenizer.load(), named = description.specialTokens
    let configuration = try self.tokenizer.configuration()
    func token(_ key: String) -> Int? {
      let member = configuration?[key]
      return (member?.string ?? member?["content"]?.string).flatMap(tokenizer.id(of:))
    }
    return TaskEncoder(
      tokenizer,
      beginning: configuration == nil ? named.beginning : token("bos_token"),
      end: token("eos_token") ?? named.end.first,
      maximumLength: maximumLength ?? description.maximumPositions)
  }
}
