import TestSupport
import Testing

@testable import Pipeline

/// Questions that are made of documents.
struct TaskQuestionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func questions(
    _ output: String, text: String = "p", target: String = "t", more: String = "",
    _ lines: String...
  ) throws -> [TaskQuestion] {
    let data = try directory.write("d.jsonl", lines.joined(separator: "\n") + "\n")
    let task = try TaskFile(
      yaml: """
        task: t
        dataset_path: json
        dataset_kwargs: {data_files: {test: \(data)}}
        test_split: test
        output_type: \(output)
        doc_to_text: \(text)
        doc_to_target: \(target)
        \(more)
        """, file: "t.yaml")
    let questions = TaskQuestions(
      task: task, documents: try TaskDocuments(path: data, limit: nil))
    return try questions.documents.used.indices.map(questions.question)
  }

  @Test func `fields and templates are texts of questions`() throws {
    #expect(
      try questions("loglikelihood", target: "\"{{' ' + t}}\"", #"{"p": "a", "t": "b"}"#)
        == [.init(context: "a", kind: .likelihood(of: " b"))])
    #expect(
      try questions(
        "generate_until", text: "''", more: "description: \"Q: {{p}}\\n\"", #"{"p": "a", "t": 7}"#)
        == [.init(context: "Q: a\n", kind: .generation(expected: "7"))])
    let choices = #"{"p": "a", "t": 1, "w": "y", "c": ["x", "y"]}"#
    let expected = TaskQuestion(context: "a", kind: .choice(among: ["x", "y"], right: 1))
    for (target, choice) in [
      ("t", "c"), ("w", "c"), ("\"{{t}}\"", "\"{{c}}\""), ("1", "[x, 'y']"), ("\"{{w}}\"", "c"),
    ] {
      let made = try questions(
        "multiple_choice", target: target, more: "doc_to_choice: \(choice)", choices)
      #expect(made == [expected])
    }
  }

  @Test(arguments: [
    (
      "loglikelihood", "answer", "t", "", #"{"p": "a", "t": "b"}"#,
      ["\"doc_to_text\" is \"answer\"", "fields: p, t"]
    ),
    ("loglikelihood", "pp", "t", "", #"{"p": "a", "t": "b"}"#, ["did you mean \"p\""]),
    (
      "loglikelihood", "p", "t", "", #"{"p": "a", "t": 3}"#,
      ["\"doc_to_target\" gives 3", "a text"]
    ),
    ("loglikelihood", "p", "\"[{{t}}]\"", "", #"{"p": "a", "t": "3"}"#, ["reads as a list"]),
    (
      "loglikelihood", "\"{{q}}\"", "t", "", #"{"p": "a", "t": "3"}"#,
      ["\"doc_to_text\" gives no text", "\"q\""]
    ),
    (
      "generate_until", "p", "t", "", #"{"p": "a", "t": ["x"]}"#,
      ["\"doc_to_target\" gives [\"x\"]"]
    ),
    (
      "multiple_choice", "p", "t", "doc_to_choice: c", #"{"p": "a", "t": 2, "c": ["x", "y"]}"#,
      ["gives 2", "0 to 1"]
    ),
    (
      "multiple_choice", "p", "t", "doc_to_choice: c", #"{"p": "a", "t": "z", "c": ["x", "y"]}"#,
      ["gives \"z\""]
    ),
    (
      "multiple_choice", "p", "t", "doc_to_choice: c", #"{"p": "a", "t": 0, "c": ["x", ""]}"#,
      ["doc_to_choice", "empty"]
    ),
    (
      "multiple_choice", "p", "t", "doc_to_choice: c", #"{"p": "a", "t": 0, "c": "x"}"#,
      ["no list of texts"]
    ),
    (
      "multiple_choice", "\"{{p}}\"", "t", "doc_to_choice: c",
      #"{"p": "7", "t": 0, "c": ["x", "y"]}"#, ["\"doc_to_text\" gives 7"]
    ),
    ("loglikelihood", "p", "t", "", #"["a"]"#, ["a document must be a JSON object"]),
    ("loglikelihood", "p", "t", "", #"{"p": "a""#, ["JSON ends"]),
    ("loglikelihood", "p", "t", "", "", ["holds no documents"]),
  ])
  func `what makes no question is refused with its line`(
    _ output: String, _ text: String, _ target: String, _ more: String, _ line: String,
    _ words: [String]
  ) {
    do {
      _ = try questions(output, text: text, target: target, more: more, line)
      Issue.record("made")
    } catch {
      let error = error as? TaskFileError
      #expect(error?.location?.contains("d.jsonl") == true)
      for word in words {
        #expect(error?.what.contains(word) == true, "\(String(describing: error))")
      }
    }
  }

  @Test func `a limit keeps the first, and blank lines are none`() throws {
    let path = try directory.write("d.jsonl", "{\"a\": 1}\n\n{\"a\": 2}\r\n{\"b\": 3}")
    let documents = try TaskDocuments(path: path, limit: 2)
    #expect(documents.used.map(\.line) == [1, 3])
    #expect(documents.count == 3)
    #expect(documents.names == ["a"])
  }
}
