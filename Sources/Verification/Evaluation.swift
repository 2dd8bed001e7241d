import Foundation
package import Kernels
public import Runtime

/// Perplexity of a text, and how far a model is from a teacher on it.
///
/// The rule: tokens are cut into consecutive segments of `context`, each read from an empty state,
/// its first token not scored; a shorter last segment counts if it has two tokens; negative
/// log-likelihoods are summed in f64.
public struct Evaluation: Sendable {
  /// Tokens read.
  public private(set) var tokens = 0
  /// Tokens scored: all but the first of each segment.
  public private(set) var scored = 0
  /// Sum of the negative log-likelihoods in nats.
  public private(set) var totalNLL = 0.0
  /// Sum and count of the negative log-likelihoods of each segment.
  public private(set) var segments: [(sum: Double, count: Int)] = []

  /// Sum and count of the negative log-likelihoods by position in the segment; bucket b holds
  /// positions 2^b to 2^(b+1) - 1.
  private var buckets: [(sum: Double, count: Int)] = []
  private let hasTeacher: Bool
  private var divergence = 0.0
  private var agreements = 0

  /// exp of the mean negative log-likelihood.
  public var perplexity: Double { exp(totalNLL / Double(max(scored, 1))) }

  /// Mean negative log-likelihood per bucket of positions, named `512-1023`.
  public var byPosition: [(range: String, nll: Double)] {
    buckets.enumerated().map { index, bucket in
      let first = 1 << index
      return (
        index == 0 ? "1" : "\(first)-\(2 * first - 1)", bucket.sum / Double(max(bucket.count, 1))
      )
    }
  }

  /// Mean KL(teacher‖model) in nats; nil without a teacher.
  public var kl: Double? { hasTeacher ? divergence / Double(max(scored, 1)) : nil }

  /// Share of scored tokens for which both models predict the same; nil without a teacher.
  public var top1: Double? { hasTeacher ? Double(agreements) / Double(max(scored, 1)) : nil }

  /// Rows of logits held at a time: with a vocabulary of 150,000 they take 38 MB per model.
  private static let rowsAtOnce = 64

  /// Evaluates `model` on `tokens`.
  ///
  /// - Parameters:
  ///   - context: tokens per segment, at least 2.
  ///   - teacher: a model to compare with, with the same vocabulary.
  ///   - progress: called after each segment with the share done.
  public init(
    of model: Model, on tokens: [Int], context: Int, teacher: Model? = nil,
    progress: (Double) -> Void = { _ in }
  ) throws {
    hasTeacher = teacher != nil
    for start in stride(from: 0, to: tokens.count, by: context) {
      let segment = Array(tokens[start..<min(start + context, tokens.count)])
      guard segment.count >= 2 else { break }
      try score(segment, model: model, teacher: teacher)
      progress(Double(start + segment.count) / Double(tokens.count))
    }
  }

  private mutating func score(_ segment: [Int], model: Model, teacher: Model?) throws {
    func hidden(_ model: Model) throws -> FloatMatrix {
      var state = DecodingState(for: model.description)
      return try model.extend(&state, with: segment)
    }
    let own = try hidden(model), other = try teacher.map(hidden)
    let before = totalNLL
    tokens += segment.count
    defer { segments.append((totalNLL - before, segment.count - 1)) }
    for first in stride(from: 0, to: segment.count - 1, by: Self.rowsAtOnce) {
      let rows = first..<min(first + Self.rowsAtOnce, segment.count - 1)
      let logits = try model.logits(own, rows: rows)
      let reference = try other.flatMap { try teacher?.logits($0, rows: rows) }
      for row in rows {
        let place = row - first, normalizer = logits.logSumExp(ofRow: place)
        record(normalizer - Double(logits[place][segment[row + 1]]), position: row + 1)
        if let reference { compare(logits, normalizer, with: reference, row: place) }
      }
    }
  }

  private mutating func record(_ nll: Double, position: Int) {
    scored += 1
    totalNLL += nll
    let bucket = Int.bitWidth - 1 - position.leadingZeroBitCount
    while buckets.count <= bucket { buckets.append((0, 0)) }
    buckets[bucket].sum += nll
    buckets[bucket].count += 1
  }

  private mutating func compare(
    _ scores: FloatMatrix, _ normalizer: Double, with teacher: FloatMatrix, row: Int
  ) {
    divergence += scores.divergence(ofRow: row, normalizer: normalizer, from: teacher)
    if scores.argmax(ofRow: row) == teacher.argmax(ofRow: row) { agreements += 1 }
  }
}

extension FloatMatrix {
  /// KL(reference‖self), in nats, of the distributions that row `row` of both matrices of logits [T, V]
  /// means.
  ///
  /// - Parameter normalizer: `logSumExp(ofRow: row)`.
  package func divergence(
    ofRow row: Int, normalizer: Double, from reference: FloatMatrix
  ) -> Double {
    let referenceNormalizer = reference.logSumExp(ofRow: row)
    return withExtendedLifetime((self, reference)) {
      var sum = 0.0
      for (score, expected) in zip(self[row], reference[row]) {
        let logP = Double(expected) - referenceNormalizer
        sum += exp(logP) * (logP - Double(score) + normalizer)
      }
      return sum
    }
  }
}
