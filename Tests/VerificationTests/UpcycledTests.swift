import Architectures
import ModelFiles
import Runtime
import StepSettings
import TensorTypes
import TestSupport
import Testing

@testable import Verification

/// Upcycled models: what they compute, and the faults that experts can hide.
struct UpcycledTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("u"))
    try TinyModel.llama.synthesize(to: directory("s"))
  }

  private func upcycle(_ change: (inout UpcycleSettings) -> Void = { _ in }) throws {
    try TinyModel.upcycle(directory("s"), to: directory("u")) {
      $0.experts = 4
      $0.denseLayers = .list([0])
      change(&$0)
    }
  }

  private func distance(_ change: (inout UpcycleSettings) -> Void = { _ in }) throws
    -> LogitDistance
  {
    try upcycle(change)
    func model(_ path: String) throws -> Model {
      let file = try ModelFile.open(path)
      return try Model(file.description, weights: file)
    }
    let file = try ModelFile.open(directory("s"))
    return try LogitDistance(
      of: model(directory("u")), from: model(directory("s")), on: ProbeText.tokens(for: file))
  }

  @Test func `exact scale and even routers change nothing, and spread the tokens`() throws {
    let distance = try distance()
    #expect(distance.relative < 1e-5)
    let load = try #require(distance.load)
    #expect(load.lowerBound > 128 / 4 / 2 && load.upperBound < 128 / 4 * 2)
  }

  @Test(arguments: [(0, 1), (1, 3), (2, 2), (3, 1), (0, 4)])
  func `with any number of shared and chosen experts`(_ shared: Int, _ chosen: Int) throws {
    let distance = try distance {
      $0.shared = shared
      $0.topK = chosen
    }
    #expect(distance.relative < 1e-5)
  }

  @Test func `the cube root changes a little, a random router more`() throws {
    let cube = try distance { $0.scale = .cuberoot }.relative
    #expect(cube > 1e-5 && cube < 0.05)
    try Files.remove(directory("u"))
    #expect(try distance { $0.router = .random(1) }.relative > cube)
  }

  @Test func `a sound one passes with its source`() throws {
    try upcycle()
    let results = try verify(directory("u"), source: directory("s"))
    #expect(
      results.map(\.name) == [
        "structure", "hashes", "provenance", "values", "experts", "logits", "prefill = decode",
        "state save/restore", "routing", UpcycleCheck.name,
      ])
    for result in results { #expect(result.outcome == .passed, "\(result)") }
    let experts = try #require(results.first { $0.name == "experts" })
    #expect(experts.detail.contains("10 experts in 2 layers"))
    #expect(experts.detail.contains("2 routers are zero and carry no knowledge"))
    #expect(experts.detail.contains("in 2 layers all routed experts are equal"))
  }

  @Test func `converted first, it is compared with the source of the conversion`() throws {
    try TinyModel.convert(directory("s"), to: directory("c")) { $0.window = 70 }
    try TinyModel.upcycle(directory("c"), to: directory("u")) { $0.denseLayers = .list([0]) }
    for source in ["s", "c"] {
      let results = try verify(directory("u"), source: directory(source))
      for result in results { #expect(result.outcome == .passed, "\(source): \(result)") }
    }
  }

  private func failure() throws -> CheckResult {
    try #require(
      try verify(directory("u"), source: directory("s")).first { $0.outcome == .failed })
  }

  @Test func `a missing expert`() throws {
    try upcycle()
    let name = "model.layers.2.mlp.experts.3.up_proj.weight"
    try edit.rewrite { $0.removeAll { $0.name == name } }
    #expect(try failure().detail == "tensor \(name) [112, 64] is missing")
  }

  @Test func `one expert too many`() throws {
    try upcycle()
    let name = "model.layers.2.mlp.experts.4.up_proj.weight"
    try edit.rewrite { $0.append(.init(name, shape: [112, 64])) }
    #expect(try failure().detail.contains(name))
  }

  @Test func `an expert of zeros`() throws {
    try upcycle()
    let name = "model.layers.1.mlp.experts.2.down_proj.weight"
    try edit.overwrite(name, with: [Float](repeating: 0, count: 64 * 112))
    try edit.remakeManifest()
    let results = try verify(directory("u"), level: .values)
    #expect(results.contains { $0.outcome == .failed && $0.detail.contains("\(name) in ") })
  }

  @Test func `a router that is no number`() throws {
    try upcycle()
    try edit.overwrite("model.layers.1.mlp.gate.weight", element: 7, with: [.nan])
    try edit.remakeManifest()
    let results = try verify(directory("u"), level: .values)
    #expect(
      results.contains {
        $0.outcome == .failed && $0.detail.contains("model.layers.1.mlp.gate.weight")
          && $0.detail.contains("[0, 7]")
      })
  }

  @Test func `two experts exchanged, or one scaled twice`() throws {
    try upcycle()
    let name = "model.layers.1.mlp.experts.1.down_proj.weight"
    try edit.overwrite(name, with: edit.floats(name).map { $0 * 0.8 })
    try edit.remakeManifest()
    #expect(try failure().detail.contains("\(name) differs from what the recipe makes"))
  }
}
