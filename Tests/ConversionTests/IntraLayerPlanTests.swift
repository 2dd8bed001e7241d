import Architectures
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Conversion

/// Conversion to parallel branches.
struct IntraLayerPlanTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"), ["num_hidden_layers": 8])
  }

  private func plan(change: (inout ConvertSettings) -> Void = { _ in }) throws -> CheckpointPlan {
    try ConversionPlan.make(
      from: ModelFile.open(directory("s")),
      settings: TinyModel.settings {
        $0.layout = .intraLayer
        change(&$0)
      })
  }

  private func values(_ name: String, of plan: CheckpointPlan) throws -> [Float] {
    let tensor = try #require(plan.tensors.first { $0.name == name }, "\(name)")
    var bytes: [UInt8] = []
    try tensor.transform.produce(block: 1 << 20) { bytes += Array($0) }
    #expect(bytes.count == tensor.byteCount)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  @Test func `every layer has both, every seventh over everything`() throws {
    let plan = try plan()
    #expect(
      plan.description.layers.map(\.mixer.text) == Array(repeating: "parallel 4096", count: 6)
        + ["parallel-full", "parallel 4096"])
    #expect(plan.description.sinkCount == 1)
    let none = try self.plan { $0.fullAttentionLayers = .list([]) }
    #expect(none.description.layers.allSatisfy { $0.mixer.kind == "parallel" })
  }

  @Test func `the projections are the source's, and the softmax branch starts alone`() throws {
    let plan = try plan()
    for role in ["q", "k", "v", "o"] {
      #expect(
        try values("model.layers.3.attn.\(role)_proj.weight", of: plan)
          == CheckpointEdit(directory("s")).floats(
            "model.layers.3.self_attn.\(role)_proj.weight"))
    }
    #expect(try values("model.layers.3.attn.branch_scale", of: plan) == [0, 1])
    #expect(try values("model.layers.3.attn.sa_norm.weight", of: plan).allSatisfy { $0 == 1024 })
    #expect(plan.configuration["branch_norm_eps"]?.double == 1_048_576)
    let norms = try self.plan { $0.intraLayer.branchNormEpsilon = 1e-6 }
    #expect(try values("model.layers.3.attn.la_norm.weight", of: norms).allSatisfy { $0 == 1 })
  }

  @Test func `sinks are the first token's embedding and others, nearly`() throws {
    let embedding = try CheckpointEdit(directory("s")).floats("model.embed_tokens.weight")
    let rows = stride(from: 0, to: embedding.count, by: 64).map { embedding[$0..<$0 + 64] }
    func origin(_ sink: ArraySlice<Float>) -> Int? {
      rows.firstIndex { zip(sink, $0).allSatisfy { ($0 - $1).magnitude < 0.011 } }
    }
    let sinks = try values("model.sink_tokens", of: plan { $0.intraLayer.sinks = 5 })
    #expect(sinks.count == 5 * 64)
    let origins = (0..<5).map { origin(sinks[$0 * 64..<($0 + 1) * 64]) }
    #expect(origins[0] == 1 && !origins.contains(nil) && Set(origins).count == 5)
    #expect(sinks[..<64] != rows[1])
    #expect(
      try Array(values("model.sink_tokens", of: plan { $0.intraLayer.sinks = 2 }))
        == Array(sinks[..<128]))
    let exact = try values(
      "model.sink_tokens",
      of: plan {
        $0.intraLayer.sinks = 2
        $0.intraLayer.sinkNoise = 0
        $0.intraLayer.sinkToken = 7
      })
    #expect(exact[..<64] == rows[7] && rows.contains(exact[64...]))
    #expect(
      !(try plan { $0.intraLayer.sinks = 0 }).tensors.contains { $0.name == "model.sink_tokens" })
  }

  @Test func `a token that the vocabulary does not have is refused`() throws {
    #expect(
      throws: ConversionError.tokenOutOfRange(
        option: "--sink-token", token: 320, vocabulary: 320)
    ) { try plan { $0.intraLayer.sinkToken = 320 } }
  }

  @Test func `the settings survive the manifest`() throws {
    let settings = TinyModel.settings {
      $0.layout = .intraLayer
      $0.fullAttentionLayers = .list([1])
      $0.intraLayer.sinks = 3
      $0.intraLayer.sinkToken = 9
      $0.intraLayer.branchScale = [0.25, 0.75]
      $0.intraLayer.branchNormEpsilon = 1e-6
    }
    let fields = Dictionary(uniqueKeysWithValues: settings.fields.map { ($0.key, $0.value) })
    #expect(try ConvertSettings(fields: fields, file: "manifest.json") == settings)
  }
}
