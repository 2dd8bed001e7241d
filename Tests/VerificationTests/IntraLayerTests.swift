import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Verification

/// Converted models with parallel branches.
struct IntraLayerTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.qwen3.synthesize(to: directory("s"))
  }

  private func convert(_ change: (inout ConvertSettings) -> Void) throws {
    try TinyModel.convert(directory("s"), to: directory("c")) {
      $0.layout = .intraLayer
      $0.window = 200
      change(&$0)
    }
  }

  private func distance() throws -> Double {
    func model(_ path: String) throws -> Model {
      let file = try ModelFile.open(path)
      return try Model(file.description, weights: file)
    }
    let source = try ModelFile.open(directory("s"))
    return try LogitDistance(
      of: model(directory("c")), from: model(directory("s")),
      on: ProbeText.tokens(for: source)
    ).relative
  }

  @Test func `without sinks it starts as the source, whose norms would not`() throws {
    try convert { $0.intraLayer.sinks = 0 }
    #expect(try distance() < 1e-4)
    try Files.remove(directory("c"))
    try convert {
      $0.intraLayer.sinks = 0
      $0.intraLayer.branchNormEpsilon = 1e-6
    }
    #expect(try distance() > 1e-2)
  }

  @Test(arguments: [0, 3])
  func `passes every check with its source`(_ sinks: Int) throws {
    try convert {
      $0.intraLayer.sinks = sinks
      $0.intraLayer.branchScale = [0.5, 1]
    }
    let results = try verify(directory("c"), source: directory("s"))
    #expect(results.count == 8)
    for result in results { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test func `upcycled too`() throws {
    try convert { $0.intraLayer.sinks = 2 }
    try TinyModel.upcycle(directory("c"), to: directory("u")) {
      $0.experts = 3
      $0.denseLayers = .list([0])
    }
    for source in ["s", "c"] {
      let results = try verify(directory("u"), source: directory(source))
      for result in results { #expect(result.outcome == .passed, "\(source): \(result)") }
    }
  }

  @Test func `sinks that are not what the recipe makes are found`() throws {
    try convert { $0.intraLayer.sinks = 3 }
    let edit = CheckpointEdit(directory("c"))
    try edit.overwrite("model.sink_tokens", element: 70, with: [9])
    try edit.remakeManifest()
    let results = try verify(directory("c"), source: directory("s"))
    #expect(
      results.contains {
        $0.outcome == .failed && $0.detail.contains("model.sink_tokens differs")
      })
  }
}
