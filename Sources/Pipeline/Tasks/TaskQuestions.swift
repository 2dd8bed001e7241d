import ChatTemplates
import StrictJSON

/// A question that is put to a model.
struct TaskQuestion: Equatable {
  /// What is asked, and what is right.
  enum Kind: Equatable {
    /// How likely is the text?
    case likelihood(of: String)
    /// Which of the texts, after the task's delimiter, is likeliest? The one at `right` should be.
    case choice(among: [String], right: Int)
    /// What follows?
    case generation(expected: String)
  }

  /// The text that is gone on with.
  var context: String
  /// What is asked.
  var kind: Kind
}

/// Makes questions of documents, by the rules of lm-eval.
struct TaskQuestions {
  let task: TaskFile
  let documents: TaskDocuments

  /// Where the document at `index` stands.
  func place(_ index: Int) -> String { "\(documents.file):\(documents.used[index].line)" }

  /// The question that the document at `index` is made to.
  func question(_ index: Int) throws(TaskFileError) -> TaskQuestion {
    let document = documents.used[index].document, place = place(index)
    let maker = QuestionMaker(document: document, names: documents.names, place: place)
    let text = try maker.text(task.text, key: "doc_to_text")
    let description = try task.description.map { (field) throws(TaskFileError) in
      try maker.text(field, key: "description")
    }
    let kind: TaskQuestion.Kind
    switch task.output {
    case .likelihood:
      kind = .likelihood(of: try maker.target(task.target, takesNumber: false))
    case .generation: kind = .generation(expected: try maker.target(task.target, takesNumber: true))
    case .choice:
      if case .text(let name, _) = task.text, !documents.names.contains(name),
        !text.isEmpty, text.allSatisfy(\.isWholeNumber)
      {
        // lm-eval takes it for the number of a choice that the context is made of.
        throw .wrongField(key: "doc_to_text", got: text, expected: "a text", place: place)
      }
      let choices = try maker.choices(task.choices)
      kind = .choice(among: choices, right: try maker.index(task.target, among: choices))
    }
    return TaskQuestion(context: (description ?? "") + text, kind: kind)
  }
}

/// Reads the fields of one document.
private struct QuestionMaker {
  let document: JSONObject
  let names: Set<String>
  let place: String

  /// What `field` gives: a member of the document, or what a template prints.
  private func value(
    _ field: TaskFile.Field, key: String
  ) throws(TaskFileError) -> (value: JSONValue, isMember: Bool) {
    switch field {
    case .number(let number): return (.int(number), true)
    case .texts(let texts): return (.array(texts.map { .string($0) }), true)
    case .text(let name, let template):
      if let value = document[name] { return (value, true) }
      guard !names.contains(name), template.hasTags || name.isEmpty else {
        throw .noField(name, key: key, known: document.keys, place: place)
      }
      return (
        .string(
          try printed(key) { () throws(ChatTemplateError) in
            try template.render(document)
          }), false
      )
    }
  }

  private func printed<Value>(
    _ key: String, _ body: () throws(ChatTemplateError) -> Value
  ) throws(TaskFileError) -> Value {
    do {
      return try body()
    } catch {
      throw .wrongField(key: key, got: "no text: \(error.reason)", expected: "one", place: place)
    }
  }

  private func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> TaskFileError {
    let text = value.compact
    let got = text.count > 80 ? text.prefix(79) + "…" : text
    return .wrongField(key: key, got: got, expected: expected, place: place)
  }

  func text(_ field: TaskFile.Field, key: String) throws(TaskFileError) -> String {
    let (value, _) = try value(field, key: key)
    guard let text = value.string else { throw wrong(key, value, "a text") }
    return text
  }

  /// The text that is right.
  func target(_ field: TaskFile.Field, takesNumber: Bool) throws(TaskFileError) -> String {
    let key = "doc_to_target", (value, isMember) = try value(field, key: key)
    if takesNumber, case .number(let digits) = value, Int(digits) != nil { return digits }
    guard let text = value.string else { throw wrong(key, value, "a text") }
    // Printed, it is a list to Python.
    guard isMember || !(text.count >= 2 && text.hasPrefix("[") && text.hasSuffix("]")) else {
      throw wrong(key, value, "one text, and not what Python reads as a list")
    }
    return text
  }

  func choices(_ field: TaskFile.Field?) throws(TaskFileError) -> [String] {
    let key = "doc_to_choice", expected = "two texts or more that are not empty"
    guard let field else {
      throw .wrongField(key: key, got: "nothing", expected: expected, place: place)
    }
    var texts: [String]?
    if case .text(let name, let template) = field, document[name] == nil, template.hasTags {
      texts = try printed(key) { () throws(ChatTemplateError) in try template.texts(document) }
    } else {
      let (value, _) = try value(field, key: key)
      texts = value.array.flatMap { list in
        let texts = list.compactMap(\.string)
        return texts.count == list.count ? texts : nil
      }
    }
    guard let texts, texts.count > 1, !texts.contains("") else {
      throw .wrongField(
        key: key, got: texts.map { "\($0.count) of them, or empty ones" } ?? "no list of texts",
        expected: expected, place: place)
    }
    return texts
  }

  /// The place of the right choice, or the choice itself.
  func index(_ field: TaskFile.Field, among choices: [String]) throws(TaskFileError) -> Int {
    let key = "doc_to_target", (value, isMember) = try value(field, key: key)
    var index: Int?
    if case .number(let digits) = value {
      index = Int(digits)
    } else if let text = value.string {
      let isNumber = !isMember && !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
      index = isNumber ? Int(text) : choices.firstIndex { $0.utf8.elementsEqual(text.utf8) }
    }
    guard let index, choices.indices.contains(index) else {
      throw wrong(key, value, "one of the choices, or 0 to \(choices.count - 1)")
    }
    return index
  }
}
