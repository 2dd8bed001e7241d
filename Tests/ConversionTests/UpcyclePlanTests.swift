import Architectures
import Checkpoints
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// Dense feed-forward parts as experts.
struct UpcyclePlanTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func plan(
    _ model: TinyModel = .llama, change: (inout UpcycleSettings) -> Void = { _ in }
  ) throws -> CheckpointPlan {
    let path = directory("\(model.rawValue)-\(directory.names.count)")
    try model.synthesize(to: path)
    var settings = UpcycleSettings()
    settings.experts = 4
    settings.denseLayers = .list([0])
    change(&settings)
    return try UpcyclePlan.make(from: DenseModel(ModelFile.open(path)), settings: settings)
  }

  /// The float32 values that a planned tensor will have.
  private func values(_ name: String, of plan: CheckpointPlan) throws -> [Float] {
    let tensor = try #require(plan.tensors.first { $0.name == name }, "\(name)")
    var bytes: [UInt8] = []
    try tensor.transform.produce(block: 1000) { bytes += Array($0) }
    #expect(bytes.count == tensor.byteCount)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private func source(_ name: String, _ model: TinyModel = .llama) throws -> [Float] {
    try CheckpointEdit(directory("\(model.rawValue)-0")).floats(name)
  }

  @Test func `experts are copies, down_proj scaled so that they sum to the dense part`() throws {
    let plan = try plan()
    #expect(plan.description.layers.map(\.feedForward.kind) == ["dense", "moe", "moe"])
    let up = try source("model.layers.1.mlp.up_proj.weight")
    let down = try source("model.layers.1.mlp.down_proj.weight")
    for expert in ["experts.0", "experts.3", "shared_expert"] {
      #expect(try values("model.layers.1.mlp.\(expert).up_proj.weight", of: plan) == up)
      // 1 / (1 + 1/4)
      #expect(
        try values("model.layers.1.mlp.\(expert).down_proj.weight", of: plan)
          == down.map { $0 * Float(0.8) })
    }
    #expect(
      try values("model.layers.1.mlp.gate.weight", of: plan)
        == [Float](repeating: 0, count: 4 * 64))
    #expect(
      try values("model.layers.0.mlp.down_proj.weight", of: plan)
        == source("model.layers.0.mlp.down_proj.weight"))
  }

  @Test func `a clustered router is sure, and fitted tensors take the place of copies`() throws {
    let plan = try plan { $0.router = .clustered }
    let down = try source("model.layers.1.mlp.down_proj.weight")
    // 1 / (1 + 1)
    #expect(
      try values("model.layers.1.mlp.experts.2.down_proj.weight", of: plan)
        == down.map { $0 / 2 })
    let file = try ModelFile.open(directory("llama-0"))
    var settings = UpcycleSettings()
    settings.experts = 4
    settings.denseLayers = .list([0])
    settings.router = .clustered
    let address = TensorAddress(.ffnDown, layer: 1, expert: .routed(2))
    let fitted = try UpcyclePlan.make(
      from: DenseModel(file), settings: settings,
      fitted: [
        address: MemoryStorage.view([Float](repeating: 7, count: 64 * 112), shape: [64, 112])
      ])
    let name = "model.layers.1.mlp.experts.2.down_proj.weight"
    #expect(try values(name, of: fitted) == [Float](repeating: 7, count: 64 * 112))
    #expect(
      fitted.tensors.first { $0.name == name }?.transform.record.computation == .refitted)
    #expect(
      try values("model.layers.1.mlp.experts.1.down_proj.weight", of: fitted)
        == down.map { $0 / 2 })
    #expect(fitted.notes.contains { $0.contains("refitted to the regions") })
  }

  @Test func `shared experts are one, wide enough for all`() throws {
    let plan = try plan(.llamaBias) {
      $0.shared = 3
      $0.topK = 2
    }
    let factor = Float(1 / 3.5)
    func dense(_ name: String) throws -> [Float] {
      try source("model.layers.2.mlp.\(name)", .llamaBias)
    }
    func shared(_ name: String) throws -> [Float] {
      try values("model.layers.2.mlp.shared_expert.\(name)", of: plan)
    }
    let gate = try dense("gate_proj.weight"), bias = try dense("gate_proj.bias")
    #expect(try shared("gate_proj.weight") == gate + gate + gate)
    #expect(try shared("gate_proj.bias") == bias + bias + bias)
    let down = try dense("down_proj.weight").map { $0 * factor }
    let rows = (0..<64).flatMap { row in
      (0..<3).flatMap { _ in down[row * 112..<(row + 1) * 112] }
    }
    #expect(try shared("down_proj.weight") == rows)
    #expect(
      try shared("down_proj.bias") == dense("down_proj.bias").map { $0 * (factor * 3) })
    #expect(
      try values("model.layers.2.mlp.experts.1.down_proj.bias", of: plan)
        == dense("down_proj.bias").map { $0 * factor })
  }

  @Test func `cuberoot scales all three as the report does`() throws {
    let plan = try plan {
      $0.experts = 16
      $0.scale = .cuberoot
    }
    for role in ["gate", "up", "down"] {
      let dense = try source("model.layers.1.mlp.\(role)_proj.weight")
      let copy = try values("model.layers.1.mlp.experts.7.\(role)_proj.weight", of: plan)
      let factor = copy[5] / dense[5]
      #expect((factor - 0.98).magnitude < 1e-3, "\(factor)")
    }
    #expect(plan.notes.contains { $0.contains("cube root") })
  }

  @Test func `random routers have the standard deviation asked for`() throws {
    let plan = try plan { $0.router = .random(0.5) }
    let router = try values("model.layers.1.mlp.gate.weight", of: plan)
    let square = router.reduce(0) { $0 + $1 * $1 } / Float(router.count)
    #expect((square.squareRoot() - 0.5).magnitude < 0.05)
    #expect(try router != values("model.layers.2.mlp.gate.weight", of: plan))
  }

  @Test func `by default the layers of the report stay dense`() throws {
    let description = try Qwen2.describe(
      TinyModel.configuration("qwen2", ["num_hidden_layers": 28]))
    let target = try UpcyclePlan.upcycled(description, settings: UpcycleSettings())
    let dense = target.layers.indices.filter { target.layers[$0].feedForward == .dense }
    #expect(dense == [0, 1, 2, 4, 6, 8, 10])
  }

  @Test func `what cannot be upcycled is refused`() throws {
    #expect(throws: ConversionError.nothingToUpcycle(depth: 3)) {
      try plan { $0.denseLayers = nil }
    }
    #expect(
      throws: ConversionError.layerOutOfRange(option: "--dense-layers", layer: 3, depth: 3)
    ) { try plan { $0.denseLayers = .list([1, 3]) } }
    let once = try plan()
    #expect(throws: ConversionError.hasExperts) {
      try UpcyclePlan.make(from: DenseModel(once), settings: UpcycleSettings())
    }
  }

  @Test func `from a plan it makes the same tensors as from the file`() throws {
    let path = directory("s")
    try TinyModel.qwen3.synthesize(to: path, type: .bfloat16)
    let conversion = try ConversionPlan.make(
      from: ModelFile.open(path), settings: ConvertSettings())
    try TinyModel.write(conversion, to: directory("c"))
    var settings = UpcycleSettings()
    settings.denseLayers = .list([1])
    settings.shared = 2
    let planned = try UpcyclePlan.make(from: DenseModel(conversion), settings: settings)
    try TinyModel.write(planned, to: directory("p"))
    try TinyModel.upcycle(directory("c"), to: directory("f")) { $0 = settings }
    #expect(
      try Files.bytes(directory("p/model.safetensors"))
        == Files.bytes(directory("f/model.safetensors")))
    #expect(planned.description.layers.map(\.mixer) == conversion.description.layers.map(\.mixer))
  }

  @Test func `planned weights are those that are written`() throws {
    let path = directory("s")
    try TinyModel.qwen2.synthesize(to: path, type: .bfloat16)
    try TinyModel.upcycle(path, to: directory("u")) { $0.denseLayers = .list([1]) }
    var settings = UpcycleSettings()
    settings.denseLayers = .list([1])
    let plan = try UpcyclePlan.make(from: DenseModel(ModelFile.open(path)), settings: settings)
    let weights = PlannedWeights(plan), file = try ModelFile.open(directory("u"))
    for requirement in plan.description.requirements {
      let got = try weights.view(requirement.address)
      let expected = try file.view(requirement.address)
      #expect(got.type == expected.type)
      #expect(Array(got.bytes) == Array(expected.bytes), "\(requirement.address)")
    }
  }
}
