import Foundations
import Kernels
import Runtime
import StrictJSON
import Verification

/// How far the predictions of two models are from each other on a text.
struct LogitsDistance {
  private let tokens: Int
  private var largest = 0.0
  private var scale = 0.0
  private var divergence = 0.0
  private var agreements = 0

  /// Tokens that are compared at a time: with a vocabulary of 150,000 their logits take 77 MB.
  private static let rows = 64

  /// Compares the checkpoints `a` and `b` on `tokens`, read in one go.
  init(_ a: String, _ b: String, tokens: [Int], _ context: Context) throws {
    self.tokens = tokens.count
    let file = try RunnableModel(a, isLast: false, context)
    let first = file.model
    let second = try RunnableModel(teacher: b, of: file.file, context).model
    try first.description.requireRows(for: tokens)
    var states = (DecodingState(for: first.description), DecodingState(for: second.description))
    let progress = context.progress("predicting", unit: .things("tokens"))
    defer { progress.finish() }
    for start in stride(from: 0, to: tokens.count, by: Self.rows) {
      progress.update(done: start, total: tokens.count)
      let piece = Array(tokens[start..<min(start + Self.rows, tokens.count)])
      let x = try first.logits(first.extend(&states.0, with: piece), rows: 0..<piece.count)
      let y = try second.logits(second.extend(&states.1, with: piece), rows: 0..<piece.count)
      for row in piece.indices { add(x, y, row: row) }
    }
  }

  /// The largest difference by the largest logit of the first.
  var relative: Double { largest == 0 ? 0 : largest / max(scale, .leastNormalMagnitude) }

  private mutating func add(_ x: FloatMatrix, _ y: FloatMatrix, row: Int) {
    divergence += y.divergence(ofRow: row, normalizer: y.logSumExp(ofRow: row), from: x)
    if x.argmax(ofRow: row) == y.argmax(ofRow: row) { agreements += 1 }
    withExtendedLifetime((x, y)) {
      for (one, other) in zip(x[row], y[row]) {
        largest = max(largest, Double(abs(one - other)))
        scale = max(scale, Double(abs(one)))
      }
    }
  }

  /// The result for programs and people.
  var report: Report {
    let count = Double(max(1, tokens)), kl = max(0, divergence / count)
    return Report(
      json: [
        "logits": [
          "tokens": .int(tokens), "largest": .rounded(largest), "relative": .rounded(relative),
          "kl": .rounded(kl), "top1": .double(Double(agreements) / count),
        ]
      ],
      text:
        "logits: largest difference \(scientific(largest)) (\(scientific(relative)) of the largest), "
        + "KL \(scientific(kl)) nats, \(agreements) of \(counted(tokens, "token")) with the same first choice"
    )
  }
}
