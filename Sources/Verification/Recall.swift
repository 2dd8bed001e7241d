import Architectures
public import Foundations
import Kernels
import Mixers
public import Runtime

/// Whether the linear layers' states carry a text's content over a distance: the log-probability of
/// a repeated random span, minus that of the same model with its states emptied each N tokens.
public struct Recall: Sendable {
  /// How trials are made.
  public struct Settings: Sendable {
    /// Trials, at least 2.
    public var trials = 200
    /// Tokens of a span, at least 2.
    public var span = 64
    /// Tokens from the start of a span to the start of its copy, at least `span` + N.
    public var distance = 1024
    /// Seed of places and spans.
    public var seed: UInt64 = 0

    /// The original starts after 1 to this many tokens of text.
    static let lead = 128

    /// The defaults.
    public init() {}

    /// Tokens of the longest trial.
    public var length: Int { Self.lead + distance + span }
  }

  /// N: the states are emptied before every position that is a multiple of it.
  public let every: Int
  /// Mean log-probability of a copy's token, its first not counted, in nats.
  public let logProbability: Double
  /// That minus the mean with emptied states.
  public let gain: MeanEstimate
  /// The same where the original is another random span: what emptying does beside forgetting it.
  public let control: MeanEstimate
  /// Gain minus control, trial by trial: what is due to the span having been read.
  public let beyondControl: MeanEstimate

  /// N for `model`: 256, or its smallest window when that is smaller.
  public static func period(for model: Model) -> Int {
    model.description.layers.compactMap { $0.mixer.window?.size }.reduce(256, min)
  }

  /// Runs the trials.
  ///
  /// - Parameters:
  ///   - text: at least `settings.length` tokens.
  ///   - alphabet: the ids that spans are made of; not empty.
  ///   - progress: called after each trial with the number done.
  public init(
    of model: Model, on text: [Int], alphabet: [Int], settings: Settings,
    progress: (Int) -> Void = { _ in }
  ) throws {
    every = Self.period(for: model)
    var forgetful = model
    forgetful.ablation = .state(every: every)
    var generator = SplitMix64(seed: settings.seed, label: "recall")
    var whole: [Double] = [], gains: [Double] = [], controls: [Double] = []
    for number in 1...settings.trials {
      let trial = RecallTrial(settings, text: text, alphabet: alphabet, generator: &generator)
      func gain(_ tokens: [Int]) throws -> (whole: Double, gain: Double) {
        let whole = try model.meanLogProbability(of: trial.scored, in: tokens)
        return (whole, whole - (try forgetful.meanLogProbability(of: trial.scored, in: tokens)))
      }
      let repeated = try gain(trial.tokens)
      whole.append(repeated.whole)
      gains.append(repeated.gain)
      controls.append(try gain(trial.control).gain)
      progress(number)
    }
    logProbability = MeanEstimate(whole).mean
    self.gain = MeanEstimate(gains)
    control = MeanEstimate(controls)
    beyondControl = MeanEstimate(zip(gains, controls).map { $0 - $1 })
  }
}

extension Model {
  /// Mean log-probability, in nats, of the tokens at `positions` (1 or later) of `tokens`.
  func meanLogProbability(of positions: Range<Int>, in tokens: [Int]) throws -> Double {
    var state = DecodingState(for: description)
    let hidden = try extend(&state, with: tokens)
    let found = try logProbabilities(of: tokens, at: positions, hidden: hidden)
    return found.reduce(0, +) / Double(positions.count)
  }
}

/// A passage of text with a random span in it, and the same span once more further on.
struct RecallTrial: Equatable {
  /// The passage, which ends with the copy.
  let tokens: [Int]
  /// The same with another random span in place of the original: here the copy is new.
  let control: [Int]
  /// The copy's tokens but the first, which nothing announces.
  let scored: Range<Int>

  /// Draws a trial.
  ///
  /// - Parameters:
  ///   - text: at least `settings.length` tokens.
  ///   - alphabet: the ids that spans are made of.
  init(
    _ settings: Recall.Settings, text: [Int], alphabet: [Int], generator: inout SplitMix64
  ) {
    let span = settings.span
    let start = Int.random(in: 0...text.count - settings.length, using: &generator)
    let place = Int.random(in: 1...Recall.Settings.lead, using: &generator)
    func draw() -> [Int] {
      (0..<span).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }
    }
    let original = draw(), other = draw()
    let copy = place + settings.distance
    func passage(_ first: [Int]) -> [Int] {
      var tokens = Array(text[start..<start + copy])
      tokens.replaceSubrange(place..<place + span, with: first)
      return tokens + original
    }
    tokens = passage(original)
    control = passage(other)
    scored = copy + 1..<copy + span
  }
}
