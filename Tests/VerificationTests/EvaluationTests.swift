import Architectures
import Foundation
import Foundations
import Kernels
import ModelFiles
import Runtime
import TestSupport
import Testing

@testable import Verification

/// The evaluation rule against sums written out.
struct EvaluationTests {
  private let directory: TemporaryDirectory
  private let model: Model

  init() throws {
    directory = try TemporaryDirectory()
    model = try EvaluationTests.model(in: directory, seed: 1)
  }

  private static func model(in directory: TemporaryDirectory, seed: UInt64) throws -> Model {
    try TinyModel.synthesize(
      TinyModel.configuration("gla_swa"), to: directory("m\(seed)"), seed: seed)
    let file = try ModelFile.open(directory("m\(seed)"))
    return try Model(file.description, weights: file)
  }

  private func tokens(_ count: Int) -> [Int] {
    var generator = SplitMix64(seed: 4)
    return (0..<count).map { _ in Int.random(in: 0..<320, using: &generator) }
  }

  /// Log-probabilities [T][V] of a segment read from an empty state.
  private func logProbabilities(_ model: Model, _ segment: [Int]) throws -> [[Double]] {
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: segment)
    return try segment.indices.map { row in
      let logits = try model.logits(hidden, rows: row..<row + 1)
      let values = withExtendedLifetime(logits) { logits.elements.map(Double.init) }
      let top = values.max() ?? 0
      let total = log(values.reduce(0) { $0 + exp($1 - top) }) + top
      return values.map { $0 - total }
    }
  }

  /// Negative log-likelihoods of a segment's tokens but the first.
  private func losses(_ segment: [Int]) throws -> [Double] {
    let rows = try logProbabilities(model, segment)
    return segment.indices.dropFirst().map { -rows[$0 - 1][segment[$0]] }
  }

  @Test func `perplexity is exp of the mean over scored tokens`() throws {
    let tokens = tokens(12)
    let expected = try losses(Array(tokens[..<7])) + losses(Array(tokens[7...]))
    let evaluation = try Evaluation(of: model, on: tokens, context: 7)
    #expect(evaluation.tokens == 12)
    #expect(evaluation.scored == 10)
    let total = expected.reduce(0, +)
    #expect(abs(evaluation.totalNLL - total) < 1e-4)
    #expect(abs(evaluation.perplexity / exp(total / 10) - 1) < 1e-5)
    #expect(evaluation.kl == nil)
    #expect(evaluation.top1 == nil)
  }

  @Test(arguments: [
    // tokens, context, tokens read, tokens scored
    (8, 4, 8, 6), (9, 4, 8, 6), (10, 4, 10, 7), (3, 4, 3, 2), (2, 4, 2, 1), (1, 4, 0, 0),
    (4, 2, 4, 2), (5, 100, 5, 4), (140, 140, 140, 139),
  ])
  func `a last segment counts from two tokens on`(
    _ count: Int, _ context: Int, _ read: Int, _ scored: Int
  ) throws {
    let evaluation = try Evaluation(of: model, on: tokens(count), context: context)
    #expect(evaluation.tokens == read)
    #expect(evaluation.scored == scored)
    #expect(evaluation.perplexity.isFinite)
  }

  @Test func `positions are counted in doubling buckets`() throws {
    let tokens = tokens(9)
    let losses = try losses(tokens)
    let evaluation = try Evaluation(of: model, on: tokens, context: 9)
    #expect(evaluation.byPosition.map(\.range) == ["1", "2-3", "4-7", "8-15"])
    let expected = [
      losses[0], (losses[1] + losses[2]) / 2, losses[3...6].reduce(0, +) / 4, losses[7],
    ]
    for (bucket, mean) in zip(evaluation.byPosition, expected) {
      #expect(abs(bucket.nll - mean) < 1e-4, "\(bucket.range)")
    }
  }

  @Test func `a model agrees with itself`() throws {
    let evaluation = try Evaluation(of: model, on: tokens(70), context: 32, teacher: model)
    #expect(abs(evaluation.kl ?? 1) < 1e-12)
    #expect(evaluation.top1 == 1)
  }

  @Test func `the distance is KL(teacher, model) in nats`() throws {
    let teacher = try Self.model(in: directory, seed: 2)
    let tokens = tokens(10)
    let own = try logProbabilities(model, tokens), other = try logProbabilities(teacher, tokens)
    var expected = 0.0, equal = 0
    for row in 0..<9 {
      for (q, p) in zip(own[row], other[row]) { expected += exp(p) * (p - q) }
      let best = [own[row], other[row]].map { row in row.indices.max { row[$0] < row[$1] } }
      if best[0] == best[1] { equal += 1 }
    }
    let evaluation = try Evaluation(of: model, on: tokens, context: 10, teacher: teacher)
    #expect(abs((evaluation.kl ?? 0) / (expected / 9) - 1) < 1e-4)
    #expect(evaluation.top1 == Double(equal) / 9)
    #expect(expected > 0.1)
  }

  @Test func `progress ends at one`() throws {
    var shares: [Double] = []
    _ = try Evaluation(of: model, on: tokens(12), context: 5) { shares.append($0) }
    #expect(shares == [5.0 / 12, 10.0 / 12, 1])
  }

  @Test func `the self-check passes on a sound model`() throws {
    #expect(try SelfCheck.run(model).outcome == .passed)
    #expect(SelfCheck.tokens(model, count: 50).allSatisfy { (0..<320).contains($0) })
  }
}
