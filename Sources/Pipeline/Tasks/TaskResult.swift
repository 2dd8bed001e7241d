import Foundations
import StrictJSON
import Verification

/// What a model is worth in a task.
struct TaskResult {
  let questions: TaskQuestions
  let figures: [TaskFigure]
  /// Texts that were too long and lost their beginning.
  let truncated: Int

  private var name: String { questions.task.name }

  /// What a user should know of texts that were too long for `limit` tokens; nil when none was.
  func note(_ limit: Int) -> String? {
    guard truncated > 0 else { return nil }
    return "note: \(name): \(counted(truncated, "text")) longer than \(limit) tokens lost the "
      + "beginning, as in lm-eval; --max-length reads more"
  }

  /// The figures by the names that lm-eval gives them.
  private var json: JSONObject {
    var object = JSONObject([
      ("alias", .string(name)), ("sample_len", .int(questions.documents.used.count)),
    ])
    for figure in figures {
      object["\(figure.metric.rawValue),none"] = .double(figure.value)
      object["\(figure.metric.rawValue)_stderr,none"] =
        figure.standardError.map { .double($0) } ?? "N/A"
    }
    return object
  }

  /// The results of a run: for programs as lm-eval writes them.
  static func report(_ results: [TaskResult]) -> Report {
    func byName(_ value: (TaskResult) -> JSONValue) -> JSONValue {
      .object(JSONObject(results.map { ($0.name, value($0)) }))
    }
    var table = Table(rightAligned: [1, 3, 5])
    table.add("task", "questions", "metric", "value", "", "error")
    for result in results {
      for (row, figure) in result.figures.enumerated() {
        table.add(
          row == 0 ? result.name : "",
          row == 0 ? "\(result.questions.documents.used.count)" : "", figure.metric.rawValue,
          fixed(figure.value, 4), "±", figure.standardError.map { fixed($0, 4) } ?? "N/A")
      }
    }
    return Report(
      json: [
        "results": byName { .object($0.json) }, "n-shot": byName { _ in 0 },
        "n-samples": byName {
          [
            "original": .int($0.questions.documents.count),
            "effective": .int($0.questions.documents.used.count),
          ]
        },
        "truncated": byName { .int($0.truncated) },
      ], text: table.text)
  }
}
