import Foundations
import StepSettings
import StrictJSON
import Verification

extension EvaluationInput {
  /// Measures in `trials` trials what the model recalls of spans it has read.
  func recall(
    trials: Int, _ chosen: Settings<RecallKeys>, _ context: Context
  ) throws -> Report {
    var settings = Recall.Settings()
    settings.trials = trials
    settings.span = chosen.span
    settings.distance = chosen.distance
    settings.seed = chosen.seed
    // Every original is forgotten before its copy starts.
    let least = settings.span + Recall.period(for: model)
    guard settings.distance >= least else {
      throw InputError.option(
        "--recall-distance", value: "\(settings.distance)",
        expected: "at least \(least), the span and the tokens after which states are emptied")
    }
    try require(settings.length)
    let alphabet = Set(tokens).subtracting(special).sorted()
    guard !alphabet.isEmpty else { throw InputError.onlySpecial(file: text) }
    let progress = context.progress("recalling", unit: .things("trials"))
    defer { progress.finish() }
    let recall = try Recall(of: model, on: tokens, alphabet: alphabet, settings: settings) {
      progress.update(done: $0, total: trials)
    }
    return Report(json: recall.json(settings), text: recall.text(settings))
  }
}

extension MeanEstimate {
  /// The members of the estimate in a JSON object.
  var json: JSONValue {
    [
      "mean": .double(mean), "standard_error": .double(standardError),
      "interval": [.double(interval.lower), .double(interval.upper)],
    ]
  }
}

extension Recall {
  /// The result as the command line prints it with `--json`.
  func json(_ settings: Recall.Settings) -> JSONObject {
    [
      "trials": .int(settings.trials), "span": .int(settings.span),
      "distance": .int(settings.distance), "state_every": .int(every),
      "log_probability": .double(logProbability), "gain": gain.json, "control": control.json,
      "beyond_control": beyondControl.json,
    ]
  }

  /// The result in words.
  func text(_ settings: Recall.Settings) -> String {
    var table = Table(rightAligned: [1, 2])
    table.add("", "mean", "error", "95 % interval")
    for (name, estimate) in [
      ("gain over state:\(every)", gain), ("control", control), ("beyond control", beyondControl),
    ] {
      table.add(
        name, fixed(estimate.mean, 5), fixed(estimate.standardError, 5),
        "\(fixed(estimate.interval.lower, 5)) to \(fixed(estimate.interval.upper, 5))")
    }
    return """
      copies of \(settings.span) random tokens, \(counted(settings.distance, "token")) later, \
      \(counted(settings.trials, "trial"))
      log-probability of a copy's token \(fixed(logProbability, 4)) nats

      \(table.text)

      The control is the gain where the copy is of nothing that was read: recall is what is beyond.
      """
  }
}
