import Architectures
import Foundation
import Kernels
import ModelFiles
import Runtime
import TestSupport
import Testing

@testable import Spiking

/// Distributed representations: encoding, overlaps, unions; figures against numpy.
struct PatternTests {
  private func pattern(_ code: PatternCode, _ x: [Float]) -> BinaryPattern {
    x.withUnsafeBufferPointer(code.pattern)
  }

  @Test func `winners have the largest magnitudes, the first of equals`() {
    #expect(pattern(.winners(share: 0.5), [1, -3, 2, 3, 0, -2]).active == [1, 2, 3])
    #expect(pattern(.winners(share: 0.02), [0, 0, 0, 1, -1]).active == [3])
    #expect(pattern(.winners(share: 1), [0, 0]).active == [0, 1])
  }

  @Test func `spikes are counts other than 0, cells their bits`() {
    // mean|x| is 3, so V_th is 1 at k = 3 and the counts are 0, 1, -6, 0, 9, 2.
    let x: [Float] = [0.2, 1, -6, -0.3, 8.7, 1.8]
    #expect(pattern(.spiking(k: 3), x).active == [1, 2, 4, 5])
    let cells = pattern(.cells(k: 3), x)
    #expect(cells.size == 18)
    // 1 = 001, 6 = 110, beyond 7 as 111, 2 = 010, the lowest bit first.
    #expect(cells.active == [3, 7, 8, 12, 13, 14, 16])
  }

  @Test func `overlaps and unions of bits`() {
    let a = BinaryPattern(size: 130, active: [0, 64, 129])
    var union = BinaryPattern(size: 130, active: [64, 100])
    #expect(a.overlap(union) == 1)
    #expect(a.similarity(union) == 0.5)
    #expect(!a.isContained(in: union))
    union.formUnion(a)
    #expect(union.active == [0, 64, 100, 129] && union.activeCount == 4)
    #expect(a.isContained(in: union))
    #expect(BinaryPattern(size: 130, active: []).similarity(a) == 0)
  }

  private struct Golden: Decodable {
    struct Code: Decodable {
      var density: Double, first: [Int], tied: [Int], different: Double, pairs: Int
      var same: Double, repeats: Int, candidates: Int, union: [[Double]]
    }
    var k: Double, share: Double, tokens: [Int], activations: [[Float]], codes: [String: Code]
  }

  @Test func `figures equal numpy's`() throws {
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(Files.bytes(Repository.fixture("spikes/patterns.json"))))
    let codes: [String: PatternCode] = [
      "winners": .winners(share: golden.share), "spiking": .spiking(k: golden.k),
      "cells": .cells(k: golden.k),
    ]
    for (name, code) in codes {
      var memory = PatternMemory(code)
      for (token, row) in zip(golden.tokens, golden.activations) {
        row.withUnsafeBufferPointer { memory.add(token, $0, disturbed: $0) }
      }
      let expected = try #require(golden.codes[name])
      #expect(memory.patterns[0].active == expected.first, "\(name)")
      #expect(memory.patterns[9].active == expected.tied, "\(name)")
      #expect(abs(memory.density - expected.density) < 1e-12)
      #expect(memory.noisy.allSatisfy { $0 == 1 })
      #expect(memory.differentTokens.count == expected.pairs)
      #expect(abs(mean(memory.differentTokens) - expected.different) < 1e-12)
      #expect(memory.sameToken.count == expected.repeats)
      #expect(abs(mean(memory.sameToken) - expected.same) < 1e-12)
      let union = UnionTest(memory)
      #expect(union.candidates == expected.candidates)
      #expect(union.points.count == expected.union.count)
      for (point, expected) in zip(union.points, expected.union) {
        #expect(Double(point.members) == expected[0])
        #expect(abs(point.falseMatches - expected[1]) < 1e-12, "\(name) \(point.members)")
        #expect(abs(point.expected - expected[2]) < 1e-9, "\(name) \(point.members)")
      }
    }
  }

  @Test func `too few tokens make no union`() {
    var memory = PatternMemory(.winners(share: 0.5))
    #expect(UnionTest(memory).points.isEmpty)
    #expect(memory.density == 0)
    [Float](repeating: 1, count: 4).withUnsafeBufferPointer {
      memory.add(3, $0, disturbed: $0)
    }
    #expect(UnionTest(memory).points.isEmpty)
    #expect(UnionTest(memory).capacity(atMost: 0.5) == 0)
  }

  @Test(arguments: [
    ("spikingbrain", SpikingSettings.Projection.ffnDown), ("experts", .ffnDown),
    ("intra-layer", .ffnDown),
  ])
  func `reading patterns changes no logit`(
    _ name: String, _ projection: SpikingSettings.Projection
  ) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    var description = file.description
    description.spiking = description.spikingSettings { _ in 3 }
    let tokens = (0..<40).map { 7 * $0 % 300 }
    func logits(_ observer: (any SpikingObserver)?) throws -> [Float] {
      let model = try Model(
        description, weights: file, residency: .whole, observer: observer)
      var state = DecodingState(for: description)
      let logits = try model.logits(model.extend(&state, with: tokens), rows: 0..<40)
      return withExtendedLifetime(logits) { Array(logits.elements) }
    }
    let layer = description.layers.count - 1
    let site = PatternStudy.site(ofLayer: layer, of: description)
    #expect(site.projection == projection)
    let study = try PatternStudy(
      at: site, codes: [.winners(share: 0.02), .cells(k: 3)], tokens: tokens, context: 16
    ) { try Model(description, weights: file, residency: .whole, observer: $0) }
    // One pattern per token of the text, none for sinks.
    #expect(study.memories.map(\.patterns.count) == [40, 40])
    #expect(study.memories[0].tokens == tokens)
    let plain = try logits(nil)
    #expect(plain.allSatisfy { $0.isFinite })
    var read = 0
    let observer = SiteObserver(site) { input in
      for row in 0..<input.rows {
        read +=
          PatternCode.winners(share: 0.02).pattern(UnsafeBufferPointer(input[row])).activeCount
      }
    }
    #expect(try logits(observer) == plain)
    #expect(read > 0)
  }
}
