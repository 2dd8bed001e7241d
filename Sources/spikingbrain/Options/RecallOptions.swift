import ArgumentParser
import StrictJSON
import TensorTypes
import Verification

/// Options of `evaluate` that measure recall.
struct RecallOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Instead of the perplexity: in this many trials, the log-probability of a random span's copy, \
      minus that with every linear state emptied each 256 tokens (or each window, if smaller).
      """, valueName: "trials"))
  var recall: Int?

  @Option(parsing: .unconditional, help: "Tokens of the span.")
  var recallSpan = Recall.Settings().span

  @Option(parsing: .unconditional, help: "Tokens from the span's start to its copy's.")
  var recallDistance = Recall.Settings().distance

  @Option(help: "Seed of the spans and their places.")
  var seed: UInt64 = 0

  /// The settings of `trials` trials, or an error that names what is out of range.
  private func settings(trials: Int) throws -> Recall.Settings {
    for (name, value, range) in [
      ("--recall", trials, 2...1 << 20), ("--recall-span", recallSpan, 2...1 << 16),
      ("--recall-distance", recallDistance, 2...1 << 24),
    ] where !range.contains(value) {
      throw InputError.option(
        name, value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    var settings = Recall.Settings()
    settings.trials = trials
    settings.span = recallSpan
    settings.distance = recallDistance
    settings.seed = seed
    return settings
  }

  /// Runs `trials` trials on `input`.
  func measure(_ input: EvaluationInput, trials: Int, quiet: Bool) throws -> Report {
    let settings = try settings(trials: trials)
    // Every original is forgotten before its copy starts.
    let least = settings.span + Recall.period(for: input.model)
    guard settings.distance >= least else {
      throw InputError.option(
        "--recall-distance", value: "\(settings.distance)",
        expected: "at least \(least), the span and the tokens after which states are emptied")
    }
    try input.require(settings.length)
    let alphabet = Set(input.tokens).subtracting(input.special).sorted()
    guard !alphabet.isEmpty else { throw InputError.onlySpecial(file: input.text) }
    let progress = Progress("recalling", unit: .things("trials"), quiet: quiet)
    defer { progress.finish() }
    let recall = try Recall(
      of: input.model, on: input.tokens, alphabet: alphabet, settings: settings
    ) {
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
  func json(_ settings: Settings) -> JSONValue {
    [
      "trials": .int(settings.trials), "span": .int(settings.span),
      "distance": .int(settings.distance), "state_every": .int(every),
      "log_probability": .double(logProbability), "gain": gain.json, "control": control.json,
      "beyond_control": beyondControl.json,
    ]
  }

  /// The result in words.
  func text(_ settings: Settings) -> String {
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
