import Foundation
import StrictJSON
import TestSupport
import Testing

/// `evaluate --task`: figures against those that lm-eval gave for the same files.
struct TaskCommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A copy of a task file of the repository that works in any directory.
  private func task(_ path: String) throws -> String {
    let text = try Files.text("\(Repository.root)/\(path)")
      .replacingOccurrences(of: "test: ", with: "test: \(Repository.root)/")
    return try directory.write(path, text)
  }

  @Test func `figures and errors are lm-eval's`() throws {
    let golden = try JSONParser.parse(try Files.text(Repository.fixture("tasks/tiny-qwen2.json")))
    let limit = try #require(golden["limit"]?.int)
    let files = [try task("tasks/last-word.yaml"), try task("tasks/continuation.yaml")]
    let report = try Program.run(
      ["evaluate", Repository.tinyQwen2, "--json", "--limit", "\(limit)", "--task"] + files
    ).json()
    let answers = try Program.run(
      "evaluate", Repository.tinyQwen2, "--json", "--task",
      try task("Tests/Fixtures/tasks/answers.yaml")
    ).json()
    #expect(report["n-samples"]?["last-word"] == ["original": 160, "effective": .int(limit)])
    #expect(answers["results"]?["answers"]?["exact_match,none"]?.double ?? 0 > 0.5)
    for (name, figures) in try #require(golden["results"]?.object).members {
      let found = try #require((report["results"]?[name] ?? answers["results"]?[name])?.object)
      for (key, value) in try #require(figures.object).members where key.contains(",") {
        let expected = try #require(value.double), own = try #require(found[key]?.double)
        #expect(
          abs(own - expected) <= 1e-4 * max(1, abs(expected)), "\(name) \(key): \(own), \(expected)"
        )
      }
    }
  }

  @Test func `a table shows them, and notes what was cut`() throws {
    let result = try Program.run(
      "evaluate", Repository.tinyQwen2, "--task", try task("tasks/last-word.yaml"), "--limit", "2",
      "--max-length", "16"
    ).succeeded()
    #expect(result.text.contains("last-word"))
    #expect(result.text.contains("perplexity") && result.text.contains("±"))
    #expect(result.error.contains("2 texts longer than 16 tokens lost the beginning"))
  }

  @Test func `what is not right is refused`() throws {
    let good = try task("tasks/last-word.yaml"), text = Repository.root + "/demo/README.md"
    let generating = try task("tasks/copying-512.yaml")
    let wrong = try directory.write("w.yaml", "task: a\nmetrics: b\n")
    for (options, words) in [
      ([], ["--text", "--task"]), (["--task", "/no/task"], ["/no/task"]),
      (["--task", wrong], [wrong, "metrics"]),
      (["--task", good, "--text", text], ["--text", "--task"]),
      (["--task", good, "--context", "8"], ["--context", "--task"]),
      (["--task", good, "--tokens", "8"], ["--tokens", "--task"]),
      (["--task", good, "--memory"], ["--memory", "--task"]),
      (["--task", good, "--recall", "2"], ["--recall", "--task"]),
      (["--task", good, "--teacher", Repository.tinyQwen2], ["--teacher", "--task"]),
      (["--task", good, "--limit", "0"], ["--limit", "1 or more"]),
      (["--task", good, "--max-length", "1"], ["--max-length", "2 to"]),
      (["--task", good, "--ablate", "mind"], ["--ablate", "mind"]),
      (["--text", text, "--limit", "3"], ["--limit", "together with --task"]),
      (["--text", text, "--max-length", "8"], ["--max-length", "together with --task"]),
      (["--task", good, "--task", good], ["two tasks", "last-word"]),
      (["--task", generating, "--max-length", "24"], ["max_gen_toks", "24"]),
    ] {
      try Program.run(["evaluate", Repository.tinyQwen2] + options).refused(naming: words)
    }
  }
}
