import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Verification

/// Where the tokens of a text go.
struct ExpertLoadTests {
  @Test func `evenness is one for equal shares and zero for one expert`() {
    func evenness(_ counts: [Int]) -> Double { ExpertLoad.Layer(layer: 0, counts: counts).evenness }
    #expect(abs(evenness([5, 5, 5, 5]) - 1) < 1e-12)
    #expect(evenness([0, 9, 0]) == 0)
    #expect(abs(evenness([3, 3, 0, 0]) - 0.5) < 1e-12)
    #expect(evenness([7]) == 1)
    #expect(ExpertLoad.Layer(layer: 0, counts: [0, 9, 0]).unused == [0, 2])
  }

  @Test func `zero routers spread tokens evenly, each with the same probability`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
    try TinyModel.upcycle(directory("s"), to: directory("u")) {
      $0.experts = 4
      $0.topK = 2
      $0.denseLayers = .list([1])
    }
    let file = try ModelFile.open(directory("u"))
    let model = try Model(file.description, weights: file)
    var shares: [Double] = []
    let load = try ExpertLoad(
      of: model, on: LogitsCheck.probe(for: file.description, count: 100), context: 40
    ) { shares.append($0) }
    #expect(load.tokens == 100 && shares == [0.4, 0.8, 1])
    #expect(load.layers.map(\.layer) == [0, 2])
    for layer in load.layers {
      #expect(layer.counts.reduce(0, +) == 200)
      #expect(abs(layer.probability - 0.25) < 1e-6)
      #expect(layer.evenness > 0.95)
    }
  }
}
