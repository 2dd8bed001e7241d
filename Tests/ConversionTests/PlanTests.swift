import Architectures
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// What a conversion decides to write, before a byte is written.
struct PlanTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func plan(
    _ model: TinyModel, type: SyntheticType = .float32,
    change: (inout ConvertSettings) -> Void = { _ in }
  ) throws -> CheckpointPlan {
    let path = directory("\(directory.names.count)")
    try model.synthesize(to: path, type: type)
    return try ConversionPlan.make(
      from: ModelFile.open(path), settings: TinyModel.settings(change))
  }

  @Test(arguments: [
    (TinyModel.qwen2, "gla_swa"), (.qwen2Tied, "gla_swa"), (.qwen2Windowed, "gla_swa"),
    (.qwen3, "spikingbrain"), (.mistral, "gla_swa"), (.llama, "gla_swa"),
    (.llamaBias, "spikingbrain"), (.llamaLinear, "spikingbrain"), (.llama3, "spikingbrain"),
  ])
  func `chooses the public layout where it suffices`(_ model: TinyModel, _ layout: String) throws {
    let plan = try plan(model)
    #expect(plan.description.modelType == layout)
    #expect(plan.configuration["model_type"]?.string == layout)
    #expect(plan.notes.contains { $0.contains("cannot load") } == (layout == "spikingbrain"))
    // The configuration describes exactly the tensors that are planned.
    let architecture = try Architectures.of(Configuration(plan.configuration, file: ""))
    let described = try architecture.describe(Configuration(plan.configuration, file: ""))
    #expect(
      described.requirements.compactMap { architecture.names.name(of: $0.address) }
        == plan.tensors.map(\.name))
    #expect(described.requirements.map(\.shape) == plan.tensors.map(\.shape))
  }

  @Test func `odd layers keep a window, the others become linear`() throws {
    #expect(try plan(.llama).description.layers.map(\.mixer.kind) == ["gla", "window", "gla"])
    #expect(
      try plan(.llama) { $0.attentionLayers = .list([0, 2]) }.description.layers.map(\.mixer.kind)
        == ["window", "gla", "window"])
    #expect(
      try plan(.llama) { $0.attentionLayers = .list([]) }.description.layers.map(\.mixer.kind)
        == ["gla", "gla", "gla"])
  }

  @Test func `full-attention layers need our own layout and are not counted among the odd`() throws
  {
    let plan = try plan(.llama) { $0.fullAttentionLayers = .list([1]) }
    #expect(plan.description.layers.map(\.mixer.kind) == ["gla", "full", "gla"])
    #expect(plan.description.modelType == "spikingbrain")
  }

  @Test func `a tensor that the layout cannot name is said to lack a name`() throws {
    let path = directory("s")
    try TinyModel.llama.synthesize(to: path)
    let file = try ModelFile.open(path)
    let planner = TensorPlanner(
      source: file, target: file.description, names: NameTable([]), settings: ConvertSettings())
    let embedding = "\(TensorAddress(.embedding))"
    #expect(throws: ConversionError.noName(embedding)) { try planner.tensors() }
  }

  @Test func `a layer out of range is refused with the option`() throws {
    #expect(
      throws: ConversionError.layerOutOfRange(option: "--attention-layers", layer: 3, depth: 3)
    ) { try plan(.llama) { $0.attentionLayers = .list([0, 3]) } }
    #expect(
      throws: ConversionError.layerOutOfRange(
        option: "--full-attention-layers", layer: 7, depth: 3)
    ) { try plan(.llama) { $0.fullAttentionLayers = .list([7]) } }
  }

  @Test func `a layer listed twice is refused`() throws {
    #expect(throws: ConversionError.layerTwice(2)) {
      try plan(.llama) {
        $0.attentionLayers = .list([0, 2])
        $0.fullAttentionLayers = .list([2])
      }
    }
  }

  @Test func `a converted checkpoint is no source`() throws {
    try TinyModel.synthesize(TinyModel.configuration("gla_swa"), to: directory("g"))
    let file = try ModelFile.open(directory("g"))
    #expect(
      throws: ConversionError.notASource(path: directory("g"), modelType: "gla_swa")
    ) { try ConversionPlan.make(from: file, settings: ConvertSettings()) }
  }

  @Test func `an unsound source is refused before anything is planned`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try CheckpointEdit(directory("m")).rewrite { $0.removeLast() }
    let file = try ModelFile.open(directory("m"))
    #expect(throws: ModelFileError.self) {
      try ConversionPlan.make(from: file, settings: ConvertSettings())
    }
  }

  @Test func `windows shorter than the source's reach are noted`() throws {
    func notes(
      _ model: TinyModel, _ window: Int, _ rule: Mixer.WindowRule = .report
    ) throws -> Bool {
      try plan(model) {
        $0.window = window
        $0.windowRule = rule
      }.notes.contains { $0.contains("window is shorter") }
    }
    #expect(try notes(.mistral, 7))
    #expect(try !notes(.mistral, 8))
    #expect(try !notes(.mistral, 7, .flash))
    #expect(try notes(.llama, 511))
    #expect(try !notes(.llama, 512))
  }

  @Test func `the window rule reaches the configuration`() throws {
    let plan = try plan(.llama) {
      $0.window = 6
      $0.windowRule = .flash
    }
    #expect(plan.configuration["sliding_window"] == 6)
    #expect(plan.configuration["window_rule"] == "flash")
  }

  @Test func `settings are recorded whole`() throws {
    let plan = try plan(.llama) { $0.window = 6 }
    let recorded = try #require(plan.recipe["settings"]?.object)
    #expect(recorded["window"]?.string == "6")
    #expect(recorded.keys == ConvertSettings().fields.map(\.key))
  }
}
