import ChatTemplates
import StepSettings
import Verification
import Yams

/// The keys of a task file.
enum TaskFileKeys {
  /// Those that are used.
  static let used = [
    "task", "output_type", "dataset_path", "dataset_kwargs", "test_split", "validation_split",
    "description", "doc_to_text", "doc_to_target", "doc_to_choice", "target_delimiter",
    "fewshot_delimiter", "generation_kwargs", "metric_list",
  ]
  /// Those that do not change the figures of a task without examples, or only how it is shown.
  static let harmless = [
    "task_alias", "tag", "dataset_name", "training_split", "fewshot_split", "fewshot_config",
    "should_decontaminate", "doc_to_decontamination_query", "metadata",
  ]
  /// Those that must say what is so without them, as a YAML scalar; others are refused.
  static let neutral: [(key: String, value: String, expected: String)] = [
    ("num_fewshot", "0", "0: examples are not put before questions"),
    ("repeats", "1", "1"),
    ("unsafe_code", "false", "false"),
    ("include", "", "all keys in one file"),
    ("class", "", "no Python code"), ("group", "", "a single task"),
    ("task_list", "", "a single task"),
    ("custom_dataset", "", "a file of documents"), ("process_docs", "", "documents as they are"),
    ("process_results", "", "the metrics of metric_list"),
    ("filter_list", "", "answers as they are"), ("use_prompt", "", "doc_to_text"),
    ("gen_prefix", "", "the prefix in doc_to_text"), ("doc_to_image", "", "only texts"),
    ("doc_to_audio", "", "only texts"),
  ]

  /// All that are known.
  static let known = used + harmless + neutral.map(\.key)
}

extension RecipeReader {
  /// Throws where there is a key that is not known, or known and not supported.
  func requireSupported() throws(RecipeError) {
    try requireKnown(TaskFileKeys.known)
    for (key, node) in given {
      guard let neutral = TaskFileKeys.neutral.first(where: { $0.key == key }) else { continue }
      guard !neutral.value.isEmpty, node.scalar?.string.lowercased() == neutral.value else {
        throw .unsupported(key, expected: neutral.expected, place: place(of: node))
      }
    }
  }

  /// nil where `key` is not given; throws where it is.
  func refuse<Value>(_ key: String, expected: String) throws(RecipeError) -> Value? {
    guard let node = value(key) else { return nil }
    throw .unsupported(key, expected: expected, place: place(of: node))
  }

  /// What is wrong with the value of `key`.
  private func wrong(_ key: String, _ node: Node, expected: String) -> RecipeError {
    let got = node.scalar.map { $0.string.isEmpty ? "empty" : $0.string } ?? "a list or mapping"
    return .notAValue(key, got: got, expected: expected, place: place(of: node))
  }

  /// A text, and no number, truth value or Python function.
  func plainText(_ key: String) throws(RecipeError) -> String? {
    guard let node = value(key) else { return nil }
    guard let text = node.scalar?.string, node.isTagged(.str) else {
      throw wrong(key, node, expected: "a text")
    }
    return text
  }

  /// A text that has to be there and to hold something.
  func requiredText(_ key: String) throws(RecipeError) -> String {
    guard let node = value(key) else { throw .missingKey(key, place: place) }
    guard let text = try plainText(key), !text.isEmpty else {
      throw wrong(key, node, expected: "a text")
    }
    return text
  }

  /// One of a few words.
  func choice<Value: RawRepresentable & CaseIterable>(
    _ key: String, among all: [Value], default fallback: Value
  ) throws(RecipeError) -> Value where Value.RawValue == String {
    guard let node = value(key) else { return fallback }
    guard let text = node.scalar?.string, let choice = all.first(where: { $0.rawValue == text })
    else {
      throw wrong(
        key, node, expected: all.map(\.rawValue).joined(separator: " or "))
    }
    return choice
  }

  /// A whole number.
  private func number(_ key: String, in range: ClosedRange<Int>) throws(RecipeError) -> Int? {
    guard let node = value(key) else { return nil }
    guard node.isTagged(.int), let number = node.int, range.contains(number) else {
      throw wrong(key, node, expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A truth value.
  private func truth(_ key: String) throws(RecipeError) -> Bool? {
    guard let node = value(key) else { return nil }
    guard node.isTagged(.bool), let truth = node.bool else {
      throw wrong(key, node, expected: "true or false")
    }
    return truth
  }

  /// What a field may be beside a name or a template.
  enum FieldKind { case text, number, texts }

  /// A field that has to be there.
  func requiredField(
    _ key: String, takes kind: FieldKind = .text
  ) throws(RecipeError) -> TaskFile.Field {
    guard let field = try field(key, takes: kind) else { throw .missingKey(key, place: place) }
    return field
  }

  /// A field: a name or a template, or what `kind` allows instead.
  func field(
    _ key: String, takes kind: FieldKind = .text
  ) throws(RecipeError) -> TaskFile.Field? {
    guard let node = value(key) else { return nil }
    if kind == .texts, let list = node.sequence {
      let texts = list.compactMap { $0.isTagged(.str) ? $0.scalar?.string : nil }
      if texts.count == list.count, !texts.isEmpty { return .texts(texts) }
    } else if kind == .number, node.isTagged(.int), let number = node.int {
      return .number(number)
    } else if node.isTagged(.str), let text = node.scalar?.string {
      do {
        return .text(text, try DocumentTemplate(text))
      } catch {
        throw .notAValue(
          key, got: "no template: \(error.reason)", expected: "a field or a template",
          place: place(of: node))
      }
    }
    throw wrong(
      key, node,
      expected: "a field or a template"
        + (kind == .number ? ", or a number" : kind == .texts ? ", or a list of texts" : ""))
  }

  /// The file of the documents.
  func dataFile() throws(RecipeError) -> String {
    let format = try requiredText("dataset_path")
    guard format == "json" else {
      throw .notAValue(
        "dataset_path", got: format, expected: "json, with local files: nothing is downloaded",
        place: value("dataset_path").map(place(of:)) ?? place)
    }
    guard let options = try mapping("dataset_kwargs") else {
      throw .missingKey("dataset_kwargs", place: place)
    }
    // Without a meaning for local files.
    try options.requireKnown(["data_files", "trust_remote_code"])
    guard let files = options.value("data_files") else {
      throw .missingKey("data_files", place: options.place)
    }
    let key = value("test_split") == nil ? "validation_split" : "test_split"
    let split = try requiredText(key)
    // A file without a split's name is the one that trains.
    let chosen = files.scalar == nil ? try options.mapping("data_files")?.value(split) : files
    let file = chosen.flatMap { $0.sequence?.count == 1 ? $0.sequence?.first : $0 }
    if files.scalar != nil, split != "train" {
      throw .notAValue(
        key, got: split, expected: "train, as data_files names no splits", place: options.place)
    }
    guard let file, file.isTagged(.str), let path = file.scalar?.string, !path.isEmpty else {
      throw .notAValue(
        "data_files", got: chosen == nil ? "without \"\(split)\"" : "not one file",
        expected: "one file of documents for the split \"\(split)\"", place: options.place)
    }
    return path
  }

  /// How answers are generated; `separator` ends them where nothing else does.
  func generation(separator: String) throws(RecipeError) -> TaskFile.Generation {
    var generation = TaskFile.Generation(stops: [separator])
    if let options = try mapping("generation_kwargs") {
      try options.requireKnown(["until", "max_gen_toks", "do_sample", "temperature"])
      if let node = options.value("until") {
        let list = node.sequence.map(Array.init) ?? [node]
        generation.stops = list.compactMap { $0.isTagged(.str) ? $0.scalar?.string : nil }
        if generation.stops.count < list.count || generation.stops.contains("") {
          throw options.wrong("until", node, expected: "texts that are not empty")
        }
      }
      if let count = try options.number("max_gen_toks", in: 1...1 << 20) {
        generation.maxTokens = count
      }
      if try options.truth("do_sample") == true {
        throw .unsupported("do_sample", expected: "false", place: options.place)
      }
      if let node = options.value("temperature"), node.scalar.flatMap({ Double($0.string) }) != 0 {
        throw .unsupported("temperature", expected: "0", place: options.place)
      }
    }
    if generation.stops.contains("") {
      throw .notAValue(
        "fewshot_delimiter", got: "empty", expected: "a text, which ends answers", place: place)
    }
    return generation
  }

  /// What is measured, and how texts are compared.
  func metrics(
    of output: TaskFile.Output
  ) throws(RecipeError) -> (metrics: [TaskMetric], match: TextMatch) {
    guard value("metric_list") != nil else { return (output.usualMetrics, TextMatch()) }
    var metrics: [TaskMetric] = [], match = TextMatch()
    for node in try list("metric_list", of: "metrics") {
      let entry = try RecipeReader(node, describing: "a metric", file: place.file)
      let metric = try entry.choice("metric", among: output.metrics)
      let isMatch = metric == .exactMatch && output == .generation
      try entry.requireKnown(
        ["metric", "aggregation", "higher_is_better", "hf_evaluate"]
          + (isMatch ? TextMatch.keys : []))
      if let aggregation = try entry.plainText("aggregation"), aggregation != metric.aggregation {
        throw .notAValue(
          "aggregation", got: aggregation, expected: metric.aggregation, place: entry.place)
      }
      if try entry.truth("hf_evaluate") == true {
        throw .unsupported("hf_evaluate", expected: "false", place: entry.place)
      }
      if isMatch {
        match.ignoresCase = try entry.truth("ignore_case") ?? false
        match.ignoresPunctuation = try entry.truth("ignore_punctuation") ?? false
        match.ignoresNumbers = try entry.truth("ignore_numbers") ?? false
      }
      guard !metrics.contains(metric) else {
        throw .notAValue(
          "metric_list", got: "\(metric.rawValue) twice", expected: "each once", place: entry.place)
      }
      metrics.append(metric)
    }
    return (metrics, match)
  }

  private func choice(
    _ key: String, among metrics: [TaskMetric]
  ) throws(RecipeError) -> TaskMetric {
    guard let first = metrics.first, value(key) != nil else {
      throw .missingKey(key, place: place)
    }
    return try choice(key, among: metrics, default: first)
  }
}
