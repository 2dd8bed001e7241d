import Checkpoints
import Conversion
import ModelFiles
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Verification

/// Carved models: every neuron is in one expert, and the faults that this can hide.
struct CarvedTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  /// Carves the layers 1 and 2 in an order that no text gave.
  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("u"))
    try TinyModel.llama.synthesize(to: directory("s"))
    var settings = UpcycleSettings()
    (settings.carve, settings.experts, settings.topK) = (40, 6, 2)
    settings.denseLayers = .list([0])
    let order = (0..<112).map { ($0 * 37 + 5) % 112 }
    var plan = try UpcyclePlan.make(
      from: DenseModel(ModelFile.open(directory("s"))), settings: settings,
      partition: NeuronPartition([1: order, 2: order]))
    plan.recipe["fit"] = [
      "layers": .array([1, 2].map { ["layer": .int($0), "neurons": .ints(order)] })
    ]
    // Far from the dense model on purpose.
    plan.recipe["measured"] = [
      "probe_tokens": 64, "largest_relative_logit_error": 10.0,
      "rms_relative_logit_error": 10.0, "largest_by_router": 0.0,
    ]
    try TinyModel.write(plan, to: directory("u"))
  }

  /// Replaces the first `old` in the first layer's record.
  private func changeRecord(_ old: String, _ new: String) throws {
    var text = String(decoding: try Files.bytes(directory("u/manifest.json")), as: UTF8.self)
    let start = try #require(text.firstRange(of: "\"neurons\""))
    let place = try #require(text[start.upperBound...].firstRange(of: old))
    text.replaceSubrange(place, with: new)
    try directory.write("u/manifest.json", text)
    try CheckpointEdit(directory("u")).remakeManifest()
  }

  @Test func `a sound one passes with its source`() throws {
    let results = try verify(directory("u"), source: directory("s"))
    for result in results { #expect(result.outcome == .passed, "\(result)") }
    let provenance = try #require(results.first { $0.name == "provenance" })
    #expect(provenance.detail.contains("42 tensors carved neuron by neuron, byte for byte"))
    let neurons = try #require(results.first { $0.name == "neurons" })
    #expect(neurons.detail.contains("each of the 112 neurons of 2 dense parts"))
    #expect(results.contains { $0.name == "prefill = decode" })
  }

  @Test func `a neuron that two experts have`() throws {
    // The order begins 5, 42, 79.
    try changeRecord("42", "5")
    for source in [nil, directory("s")] {
      let failure = try #require(
        try verify(directory("u"), source: source, level: .values).first {
          $0.outcome == .failed
        })
      #expect(failure.name == (source == nil ? "neurons" : "provenance"))
      #expect(failure.detail == "layer 1: neuron 5 belongs to two experts")
    }
  }

  @Test func `an expert that holds another neuron than recorded`() throws {
    let name = "model.layers.2.mlp.experts.3.up_proj.weight"
    let values = try edit.floats(name)
    try edit.overwrite(name, with: Array(values[64..<128] + values[0..<64] + values[128...]))
    try edit.remakeManifest()
    let failure = try #require(
      try verify(directory("u"), source: directory("s")).first { $0.outcome == .failed })
    #expect(failure.detail.contains("\(name) differs from what the recipe makes"))
    #expect(failure.detail.contains("neurons expert 3, along rows"))
  }
}
