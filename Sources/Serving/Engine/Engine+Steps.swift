import Kernels
import Runtime
import Synchronization

extension Engine {
  /// Reads a piece of one prompt: of the text that has waited for its turn longest.
  func readPiece(of texts: inout [RunningText]) {
    guard let index = texts.firstIndex(where: \.isReading) else { return }
    let text = texts.remove(at: index)
    do {
      try readPiece(of: text)
    } catch {
      return fail(text, error)
    }
    // Behind the others, so that all have their turn.
    texts.append(text)
    if !text.isReading { noteRead(text) }
  }

  /// Notes that the prompt of a text is read, tells its scores, and keeps its state.
  func noteRead(_ text: RunningText) {
    let seconds = text.notePromptRead()
    counters.withLock {
      $0.promptTokens += text.read
      $0.cachedTokens += text.cached
      $0.firstTokenSeconds += seconds
      $0.promptsRead += 1
    }
    if text.request.scoresPrompt { text.waiting.tell(.prompt(text.promptScores)) }
    keep(text)
  }

  private func readPiece(of text: RunningText) throws {
    let tokens = text.request.tokens
    let piece = text.read..<min(text.read + limits.chunk, tokens.count)
    guard var state = text.state else { return }
    // The array in the text would be copied when it is written to.
    text.state = nil
    let hidden = try model.extend(
      &state, with: Array(tokens[piece]), lastOnly: !text.request.scoresPrompt)
    text.state = state
    text.read = piece.upperBound
    if text.request.scoresPrompt { try score(text, piece, hidden) }
  }

  /// Rows of logits held at a time.
  private static let rowsAtOnce = 64

  /// Scores the tokens after those of `piece`, whose final hidden states are `hidden`.
  private func score(_ text: RunningText, _ piece: Range<Int>, _ hidden: FloatMatrix) throws {
    let tokens = text.request.tokens
    if piece.lowerBound == 0 { text.promptScores = [ScoredToken(id: tokens[0])] }
    let last = min(piece.upperBound, tokens.count - 1)
    for first in stride(from: piece.lowerBound, to: last, by: Self.rowsAtOnce) {
      let rows = first..<min(first + Self.rowsAtOnce, last)
      let logits = try model.logits(
        hidden, rows: rows.lowerBound - piece.lowerBound..<rows.upperBound - piece.lowerBound)
      for position in rows {
        text.promptScores.append(
          logits.scored(
            tokens[position + 1], row: position - first,
            alternatives: text.request.alternatives))
      }
    }
  }

  /// Chooses the next token of every text whose prompt is read, and reads these together.
  func advance(_ texts: inout [RunningText]) {
    let ready = texts.filter { !$0.isReading }
    guard !ready.isEmpty else { return }
    var going: [(text: RunningText, token: Int)] = []
    var ended: [RunningText] = []
    let wanting = ready.filter { $0.request.maxTokens > 0 }
    for text in ready where text.request.maxTokens == 0 {
      finish(text, .length)
      ended.append(text)
    }
    for (text, logits, row) in nextLogits(of: wanting, failing: &ended) {
      let room = model.longestText.map { $0 - text.request.tokens.count } ?? Int.max
      switch text.take(logits, row: row, endTokens: endTokens, limit: room) {
      case .read(let token): going.append((text, token))
      case .ended(let reason):
        finish(text, reason)
        ended.append(text)
      }
    }
    do {
      try step(going)
    } catch {
      // What each has read now is not known.
      for (text, _) in going { fail(text, error) }
      ended += going.map(\.text)
    }
    texts.removeAll { text in ended.contains { $0 === text } }
  }

  /// The logits of each text's next token; those that have none fail.
  private func nextLogits(
    of texts: [RunningText], failing: inout [RunningText]
  ) -> [(RunningText, FloatMatrix, row: Int)] {
    guard !texts.isEmpty else { return [] }
    let last = texts.map { $0.state?.last ?? [] }
    if let logits = try? model.logits(
      FloatMatrix(last.flatMap { $0 }, rows: texts.count), rows: 0..<texts.count)
    {
      return texts.enumerated().map { ($0.element, logits, $0.offset) }
    }
    // One of them is not finite: each by itself tells whose.
    var found: [(RunningText, FloatMatrix, row: Int)] = []
    for (text, last) in zip(texts, last) {
      do {
        found.append((text, try model.logits(FloatMatrix(last, rows: 1), rows: 0..<1), 0))
      } catch {
        fail(text, error)
        failing.append(text)
      }
    }
    return found
  }

  private func step(_ going: [(text: RunningText, token: Int)]) throws {
    guard !going.isEmpty else { return }
    var states: [DecodingState] = []
    for (text, _) in going {
      if let state = text.state { states.append(state) }
      text.state = nil
    }
    _ = try model.step(&states, with: going.map(\.token))
    for ((text, _), state) in zip(going, states) { text.state = state }
    counters.withLock {
      $0.steps += 1
      $0.generatedTokens += going.count
    }
  }

  private func finish(_ text: RunningText, _ reason: GenerationResult.Reason) {
    keep(text)
    counters.withLock { $0.finished += 1 }
    text.waiting.tell(.finished(text.result(reason)))
  }

  /// Keeps the state of a text as it is now.
  private func keep(_ text: RunningText) {
    guard let state = text.state, state.position > 0 else { return }
    states.insert(
      state, after: text.tokens.prefix(state.position), scope: text.request.scope)
  }
}
