import Foundations

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
