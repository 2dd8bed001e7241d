import Foundations
import TestSupport
import Testing
import Verification

@testable import Pipeline

/// Task files of lm-eval: every key is used, harmless or refused by name, with its line.
struct TaskFileTests {
  /// A task with some lines changed or added.
  private static func yaml(_ changes: [String: String], without removed: [String] = []) -> String {
    var lines = [
      ("task", "t"), ("dataset_path", "json"), ("dataset_kwargs", "{data_files: {test: d.jsonl}}"),
      ("test_split", "test"), ("output_type", "multiple_choice"), ("doc_to_text", "passage"),
      ("doc_to_choice", "endings"), ("doc_to_target", "label"),
    ].filter { !removed.contains($0.0) }
    for (key, value) in changes.sorted(by: { $0.key < $1.key }) {
      if let index = lines.firstIndex(where: { $0.0 == key }) {
        lines[index].1 = value
      } else {
        lines.append((key, value))
      }
    }
    return lines.map { "\($0.0): \($0.1)\n" }.joined()
  }

  private func task(_ changes: [String: String] = [:]) throws -> TaskFile {
    try TaskFile(yaml: Self.yaml(changes), file: "t.yaml")
  }

  @Test(arguments: [
    "last-word", "continuation", "copying-512", "copying-1024", "copying-2048", "copying-4096",
    "passkey-512",
    "passkey-1024", "passkey-2048", "passkey-4096",
  ])
  func `the tasks of the repository are read`(_ name: String) throws {
    let file = try TaskFile(path: "\(Repository.root)/tasks/\(name).yaml")
    #expect(file.name == name)
    #expect(file.data == "tasks/\(name).jsonl")
    let documents = try TaskDocuments(path: "\(Repository.root)/\(file.data)", limit: nil)
    let questions = TaskQuestions(task: file, documents: documents)
    for index in documents.used.indices { #expect(try !questions.question(index).context.isEmpty) }
    #expect(documents.count == documents.used.count)
  }

  @Test func `defaults are those of lm-eval`() throws {
    let choice = try task()
    #expect(choice.metrics == [.accuracy, .normalizedAccuracy])
    #expect(choice.delimiter == " ")
    let lines =
      "task: t\ndataset_path: json\ndataset_kwargs: {data_files: d}\nvalidation_split: train\n"
    let generation = try TaskFile(
      yaml: lines + "doc_to_text: a\ndoc_to_target: b\n", file: "t.yaml")
    #expect(generation.output == .generation)
    #expect(generation.data == "d")
    #expect(generation.generation == .init(stops: ["\n\n"], maxTokens: 256))
    #expect(generation.metrics == [.exactMatch])
  }

  @Test func `harmless keys are read over, and neutral ones may be written out`() throws {
    _ = try task([
      "tag": "[a]", "task_alias": "x", "metadata": "{version: 1.0}", "dataset_name": "null",
      "training_split": "train", "fewshot_config": "{sampler: first_n}",
      "should_decontaminate": "true",
      "doc_to_decontamination_query": "passage", "num_fewshot": "0", "repeats": "1",
      "unsafe_code": "false", "filter_list": "null", "process_docs": "null",
    ])
  }

  @Test(arguments: [
    (["num_fewshot": "5"], ["\"num_fewshot\" is not supported", "expected 0"]),
    (["repeats": "3"], ["\"repeats\"", "expected 1"]),
    (["process_docs": "!function utils.f"], ["\"process_docs\" is not supported"]),
    (["process_results": "!function utils.f"], ["\"process_results\""]),
    (["filter_list": "[{name: x}]"], ["\"filter_list\""]),
    (["use_prompt": "a:b"], ["\"use_prompt\""]),
    (["gen_prefix": "A"], ["\"gen_prefix\""]), (["doc_to_image": "a"], ["\"doc_to_image\""]),
    (["doc_to_audio": "a"], ["\"doc_to_audio\""]),
    (["custom_dataset": "!function a.b"], ["\"custom_dataset\""]),
    (["include": "base.yaml"], ["\"include\"", "one file"]), (["group": "g"], ["\"group\""]),
    (["class": "!function a.B"], ["\"class\""]), (["unsafe_code": "true"], ["\"unsafe_code\""]),
    (["task_list": "[a]"], ["\"task_list\""]),
    (["metric_lists": "[]"], ["unknown key \"metric_lists\"", "did you mean \"metric_list\""]),
    (
      ["output_type": "loglikelihood_rolling"],
      ["\"output_type\" is loglikelihood_rolling", "generate_until"]
    ),
    (
      ["dataset_path": "EleutherAI/lambada_openai"],
      ["\"dataset_path\" is EleutherAI", "nothing is downloaded"]
    ),
    (["dataset_kwargs": "{data_files: {test: a}, field: x}"], ["unknown key \"field\""]),
    (["dataset_kwargs": "{data_files: {train: a}}"], ["\"data_files\" is without \"test\""]),
    (["dataset_kwargs": "{data_files: {test: [a, b]}}"], ["\"data_files\" is not one file"]),
    (["dataset_kwargs": "{data_files: a}"], ["\"test_split\" is test, expected train"]),
    (["dataset_kwargs": "{}"], ["\"data_files\" is missing"]),
    (["test_split": "null"], ["\"validation_split\" is missing"]),
    (["doc_to_text": "!function utils.f"], ["\"doc_to_text\"", "a field or a template"]),
    (["doc_to_text": "'{{'"], ["\"doc_to_text\" is no template", "line 1"]),
    (["doc_to_text": "3"], ["\"doc_to_text\" is 3"]),
    (["doc_to_choice": "[1, 2]"], ["\"doc_to_choice\"", "a list of texts"]),
    (["target_delimiter": "[a]"], ["\"target_delimiter\"", "a text"]),
    (
      ["generation_kwargs": "{until: a}"],
      ["\"generation_kwargs\"", "only in tasks of generate_until"]
    ),
    (
      ["metric_list": "[{metric: acc_bytes}]"],
      ["\"metric\" is acc_bytes", "acc or acc_norm or exact_match"]
    ),
    (
      ["metric_list": "[{metric: acc, aggregation: median}]"],
      ["\"aggregation\" is median, expected mean"]
    ),
    (["metric_list": "[{metric: acc, ignore_case: true}]"], ["unknown key \"ignore_case\""]),
    (["metric_list": "[{metric: acc}, {metric: acc}]"], ["acc twice"]),
    (["metric_list": "[{aggregation: mean}]"], ["\"metric\" is missing"]),
    (["metric_list": "[{metric: acc, hf_evaluate: true}]"], ["\"hf_evaluate\""]),
    (["metric_list": "acc"], ["\"metric_list\" is no list"]),
    (["task": "[a]"], ["\"task\"", "a text"]),
  ])
  func `what would change the figures is refused`(_ changes: [String: String], _ words: [String]) {
    refused(Self.yaml(changes), words)
  }

  @Test(arguments: [
    ("{until: ''}", ["\"until\"", "not empty"]), ("{until: [1]}", ["\"until\""]),
    ("{max_gen_toks: 0}", ["\"max_gen_toks\" is 0"]),
    ("{max_gen_toks: many}", ["\"max_gen_toks\""]),
    ("{do_sample: true}", ["\"do_sample\"", "false"]),
    ("{temperature: 0.7}", ["\"temperature\"", "expected 0"]),
    ("{max_gen_tokens: 4}", ["did you mean \"max_gen_toks\""]),
    ("{top_p: 0.5}", ["unknown key \"top_p\""]),
  ])
  func `so is what would change generations`(_ options: String, _ words: [String]) {
    let yaml = Self.yaml(
      ["output_type": "generate_until", "generation_kwargs": options], without: ["doc_to_choice"])
    refused(yaml, words)
  }

  @Test func `and what generations have no use for`() {
    refused(Self.yaml(["output_type": "generate_until"]), ["\"doc_to_choice\"", "multiple_choice"])
    refused(
      Self.yaml(
        [
          "output_type": "generate_until",
          "metric_list": "[{metric: exact_match, regexes_to_ignore: [a]}]",
        ],
        without: ["doc_to_choice"]), ["unknown key \"regexes_to_ignore\""])
  }

  @Test(arguments: [
    "task", "dataset_path", "dataset_kwargs", "doc_to_text", "doc_to_target", "doc_to_choice",
  ])
  func `what is needed is missed`(_ key: String) {
    refused(Self.yaml([:], without: [key]), ["\"\(key)\" is missing"])
  }

  private func refused(_ yaml: String, _ words: [String]) {
    do {
      _ = try TaskFile(yaml: yaml, file: "t.yaml")
      Issue.record("read: \(yaml)")
    } catch {
      #expect(error.location?.hasPrefix("t.yaml") == true, "\(error)")
      for word in words { #expect(error.what.contains(word), "\(error)") }
    }
  }
}
