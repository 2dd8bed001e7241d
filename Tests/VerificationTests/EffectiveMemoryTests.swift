import Foundation
import Foundations
import Mixers
import ModelFiles
import Runtime
import TestSupport
import Testing

@testable import Verification

/// States emptied at every period, against single evaluations.
struct EffectiveMemoryTests {
  private let directory: TemporaryDirectory
  private let tokens: [Int]

  init() throws {
    directory = try TemporaryDirectory()
    var generator = SplitMix64(seed: 4)
    tokens = (0..<150).map { _ in Int.random(in: 0..<320, using: &generator) }
  }

  private func model(_ name: String) throws -> Model {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory(name))
    let file = try ModelFile.open(directory(name))
    return try Model(file.description, weights: file)
  }

  @Test func `each row is the evaluation under that ablation`() throws {
    let model = try model("gla_swa"), whole = try Evaluation(of: model, on: tokens, context: 40)
    var seen: [Int] = []
    let memory = try EffectiveMemory(of: model, on: tokens, context: 40, beside: whole) {
      every, share in
      if share == 1 { seen.append(every) }
    }
    #expect(memory.rows.map(\.every) == [1, 16])
    #expect(seen == [1, 16])
    for row in memory.rows {
      var ablated = model
      ablated.ablation = .state(every: row.every)
      let expected = try Evaluation(of: ablated, on: tokens, context: 40)
      #expect(row.perplexity == expected.perplexity)
      let ratio = expected.perplexity / whole.perplexity
      #expect(abs(row.difference.mean - log(ratio)) < 1e-9)
      #expect(row.difference.standardError > 0)
    }
    #expect(memory.rows[0].difference.mean.magnitude > 1e-3)
  }

  @Test func `a model without linear layers loses exactly nothing`() throws {
    let model = try model("mistral"), whole = try Evaluation(of: model, on: tokens, context: 40)
    let memory = try EffectiveMemory(of: model, on: tokens, context: 40, beside: whole)
    #expect(memory.rows.allSatisfy { $0.difference == MeanEstimate([0, 0]) && !$0.changes })
    #expect(memory.tokens == 1)
  }

  @Test func `segments add up to the evaluation`() throws {
    let whole = try Evaluation(of: model("gla_swa"), on: tokens, context: 40)
    #expect(whole.segments.map(\.count) == [39, 39, 39, 29])
    let total = whole.segments.reduce(0) { $0 + $1.sum }
    #expect(abs(total - whole.totalNLL) < 1e-9)
  }

  @Test(arguments: [(2, [1]), (16, [1]), (17, [1, 16]), (1024, [1, 16, 64, 256])])
  func `periods are below the context`(_ context: Int, _ expected: [Int]) {
    #expect(EffectiveMemory.periods(below: context) == expected)
  }

  @Test(
    arguments: [
      ([false, false, false], 1), ([true, false, false], 16), ([true, false, true], nil),
      ([false, true, false], 64), ([true, true, true], nil),
    ] as [([Bool], Int?)])
  func `the memory is where changes end`(_ changes: [Bool], _ expected: Int?) {
    let periods = zip([1, 16, 64], changes).map { (every: $0, changes: $1) }
    #expect(EffectiveMemory.firstUnchanged(periods) == expected)
  }

  @Test(arguments: [
    // sums of two segments of 1,000 tokens, whether that is a change
    ([10.0, 10.2], true), ([10.0, -9.0], false), ([0.9, 0.9], false), ([1.1, 1.1], true),
    ([-10.0, -10.2], true), ([Double.nan, 1], true),
  ])
  func `a change is two errors and a thousandth of a nat`(_ sums: [Double], _ changes: Bool) {
    let difference = MeanEstimate(sums: sums, counts: [1000, 1000])
    let row = EffectiveMemory.Row(every: 1, perplexity: 2, difference: difference)
    #expect(row.changes == changes)
  }
}
