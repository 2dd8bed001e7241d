import Architectures
import Checkpoints
import Conversion
import Foundation
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// What profiles decide to write, and what they refuse.
struct ExportPlanTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func plan(
    _ path: String, _ profile: String, change: (inout ExportSettings) -> Void = { _ in }
  ) throws -> CheckpointPlan {
    var settings = ExportSettings(profile: profile)
    change(&settings)
    return try ExportProfiles.plan(ModelFile.open(path), settings: settings)
  }

  /// A synthesised 7B-layout model whose inputs are multiples of 128.
  private func publicModel(_ changes: [String: JSONValue?] = [:]) throws -> String {
    try TinyModel.synthesize(TinyModel.configuration("w8aspike", changes), to: directory("m"))
    return directory("m")
  }

  private func cannotHold(_ path: String, _ profile: String, _ what: String) {
    #expect {
      try plan(path, profile)
    } throws: { error in
      guard case ExportError.cannotHold(profile, let found, path)? = error as? ExportError else {
        return false
      }
      return found.contains { $0.contains(what) }
    }
  }

  @Test func `profiles have different names and none is unknown`() throws {
    let names = ExportProfiles.all.map { $0.name }
    #expect(Set(names).count == names.count)
    #expect(throws: ExportError.unknownProfile("hg", known: names)) {
      try plan(publicModel(), "hg")
    }
  }

  @Test func `one rank has no parts`() throws {
    let path = try publicModel()
    #expect(throws: ExportError.topology(profile: "hf")) {
      try plan(path, "hf") { $0.topology.tensor = 2 }
    }
  }

  @Test(arguments: TinyModel.allCases)
  func `sources leave as what they are`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"))
    let file = try ModelFile.open(directory("s"))
    let plan = try plan(directory("s"), "hf")
    #expect(plan.configuration == file.configuration.object)
    #expect(
      plan.tensors.map(\.name)
        == file.description.requirements.compactMap {
          file.architecture.names.name(of: $0.address)
        })
    #expect(plan.tensors.allSatisfy { $0.transform.record == TransformRecord(.copy) })
    #expect(plan.notes.isEmpty)
  }

  @Test(arguments: [TinyModel.qwen2, .qwen2Windowed, .qwen3, .mistral, .llamaBias, .llama3])
  func `a source in our own layout finds its architecture again`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"))
    let source = try ModelFile.open(directory("s"))
    let own = try LayoutPlan.make(
      from: DenseModel(source), recipe: JSONObject(), shardSize: ByteSize(1 << 30))
    try TinyModel.write(own, to: directory("o"), inputs: [directory("s")])
    let plan = try plan(directory("o"), "hf")
    #expect(plan.configuration["model_type"]?.string == source.architecture.modelType)
    let described = try source.architecture.describe(
      Configuration(plan.configuration, file: "config.json"))
    #expect(described.layers == source.description.layers)
    #expect(described.rotary == source.description.rotary)
    #expect(described.biases == source.description.biases)
  }

  @Test func `what Hugging Face code cannot express is refused`() throws {
    try TinyModel.synthesize(TinyModel.configuration("experts"), to: directory("e"))
    cannotHold(directory("e"), "vllm", "experts")
    try TinyModel.synthesize(TinyModel.configuration("intra-layer"), to: directory("i"))
    cannotHold(directory("i"), "vllm", "parallel branches")
    cannotHold(directory("i"), "w8aspike", "parallel branches")
    cannotHold(directory("e"), "w8a8", "experts")
    try TinyModel.export(publicModel(), to: directory("w"), profile: "w8aspike")
    cannotHold(directory("w"), "hf", "spiking thresholds")
    cannotHold(directory("w"), "w8a16-g128", "merged decay gates")
  }

  @Test(arguments: ["gla_swa", "experts", "intra-layer", "spikingbrain"])
  func `a converted model brings the code that runs it, and a card`(_ name: String) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("m"))
    let plan = try plan(directory("m"), "hf")
    let prefix = name == "gla_swa" ? "GLAswa" : "SpikingBrain"
    #expect(
      plan.configuration["auto_map"]?["AutoModelForCausalLM"]?.string
        == "modeling_spikingbrain.\(prefix)ForCausalLM")
    let files = plan.companions.map(\.name)
    for file in ["configuration_spikingbrain.py", "modeling_spikingbrain.py", "README.md"] {
      #expect(files.contains(file))
    }
    // The layout reads its own configuration, code included, without a word.
    let configuration = Configuration(plan.configuration, file: "config.json")
    let architecture = try Architectures.of(configuration)
    #expect(try architecture.describe(configuration).layers == plan.description.layers)
    #expect(try configuration.restNotes().isEmpty)
    let bare = try self.plan(directory("m"), "hf") { $0.autoMap = false }
    #expect(bare.configuration["auto_map"] == nil)
    #expect(!bare.companions.contains { $0.name.hasSuffix(".py") })
  }

  @Test(arguments: [("hf", "gla_swa"), ("megatron-dist", "gla_swa"), ("megatron-torch", "experts")])
  func `exports bring what goes on training them, as it is in formats`(
    _ profile: String, _ name: String
  ) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("m"))
    let files = try plan(directory("m"), profile).companions.filter {
      $0.name.hasPrefix("training/")
    }
    let first = profile == "hf" ? "train_transformers.py" : "pretrain_spikingbrain.py"
    #expect(files.contains { $0.name == "training/\(first)" })
    #expect(files.contains { $0.name == "training/packed_text.py" })
    for file in files {
      let original = Repository.root + "/formats/spikingbrain/\(file.name)"
      #expect(try file.bytes == Array(Data(contentsOf: URL(fileURLWithPath: original))))
    }
    // Every file of the package is there, the links to the code for transformers included.
    guard profile != "hf" else { return }
    let package = Repository.root + "/formats/spikingbrain/training/spikingbrain_megatron"
    for file in try FileManager.default.contentsOfDirectory(atPath: package)
    where file.hasSuffix(".py") {
      #expect(files.contains { $0.name == "training/spikingbrain_megatron/\(file)" })
    }
  }

  @Test func `models that are not converted bring no code to train them`() throws {
    try TinyModel.qwen2.synthesize(to: directory("q"))
    for profile in ["hf", "megatron-dist", "megatron-torch"] {
      #expect(
        try !plan(directory("q"), profile).companions.contains { $0.name.hasPrefix("training/") })
    }
  }

  @Test func `the public code is named on demand, for what it can hold`() throws {
    let upstream = try plan(publicModel(), "hf") { $0.code = .upstream }
    #expect(upstream.configuration["auto_map"] == GLASwa.autoMap)
    #expect(!upstream.companions.contains { $0.name.hasSuffix(".py") })
    try TinyModel.synthesize(TinyModel.configuration("experts"), to: directory("e"))
    let error = #expect(throws: ExportError.self) {
      try plan(directory("e"), "hf") { $0.code = .upstream }
    }
    #expect(error?.what.contains("experts") == true)
  }

  @Test func `groups of 128 must divide the inputs`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    #expect(
      throws: ExportError.inputs(
        tensor: "model.layers.0.self_attn.q_proj.weight", count: 64, groupSize: 128)
    ) { try plan(directory("s"), "w8a16-g128") }
    try TinyModel.convert(directory("s"), to: directory("c"))
    #expect(
      throws: ExportError.inputs(
        tensor: "model.layers.0.attn.q_proj.weight", count: 64, groupSize: 128)
    ) { try plan(directory("c"), "w8aspike") }
  }

  @Test func `compressed-tensors names, types and ignored modules`() throws {
    let path = try publicModel()
    let a8 = try plan(path, "w8a8")
    let q = "model.layers.1.attn.q_proj.weight"
    func tensor(_ plan: CheckpointPlan, _ name: String) -> String? {
      plan.tensors.first { $0.name == name }.map { "\($0.type.rawValue) \($0.shape)" }
    }
    #expect(tensor(a8, q) == "int8 [128, 128]")
    #expect(tensor(a8, q + "_scale") == "float32 [128, 1]")
    #expect(tensor(a8, "model.layers.0.attn.gk_proj.0.weight") == "float32 [16, 128]")
    let a16 = try plan(path, "w8a16-g128") { $0.dtype = .bfloat16 }
    #expect(tensor(a16, q) == nil)
    #expect(tensor(a16, q + "_packed") == "int32 [128, 32]")
    #expect(tensor(a16, q + "_scale") == "bfloat16 [128, 1]")
    #expect(tensor(a16, q + "_shape") == "int64 [2]")
    #expect(a16.notes.contains { $0.contains("Rounded: cast from float32 to bfloat16") })
    for plan in [a8, a16] {
      let ignored = plan.configuration[CompressedTensors.key]?["ignore"]?.array?.map(\.string)
      #expect(ignored == ["lm_head", "re:.*gk_proj.*"])
    }
  }

  @Test func `w8aspike has one k and float32`() throws {
    let path = try publicModel()
    let w = try plan(path, "w8aspike")
    #expect(w.configuration["dynamic_sfr"]?.double == 3)
    #expect(w.tensors.allSatisfy { $0.type == .float32 })
    #expect(w.tensors.filter { $0.name.hasSuffix(".scales") }.count == 3 * 7 + 2)
    #expect(!w.tensors.contains { $0.name.contains("gk_proj.0") })
    #expect(throws: ExportError.type(profile: "w8aspike", asked: "bfloat16", needed: "float32")) {
      try plan(path, "w8aspike") { $0.dtype = .bfloat16 }
    }
    try calibrated(path) { $0.projection == .value ? 2 : 3 }
    #expect {
      try plan(directory("k"), "w8aspike")
    } throws: { ($0 as? ExportError)?.what.contains("2.0 at layers.0.v_proj") == true }
    try calibrated(path) { $0.projection == .rotatedQuery ? 4 : 2 }
    let two = try plan(directory("k"), "w8aspike")
    #expect(two.configuration["dynamic_sfr"]?.double == 2)
    for words in ["k = 2.0", "rotated queries at k = 3", "not spike what was spiked: down_proj"] {
      #expect(two.notes.contains { $0.contains(words) }, "\(two.notes)")
    }
  }

  /// The model at `path` spiked, in directory `k`.
  private func calibrated(_ path: String, k: (SpikingSite) -> Double) throws {
    let source = try DenseModel(ModelFile.open(path))
    var settings = SpikingSettings(layers: [])
    let model = try ModelFile.open(path).description
    for layer in model.layers.indices {
      var thresholds = SpikingSettings.Thresholds()
      for site in model.spikingSites(ofLayer: layer) { thresholds[site.projection] = k(site) }
      settings.layers.append(.init(thresholds))
    }
    let plan = try LayoutPlan.make(
      from: source, spiking: settings, recipe: JSONObject(), shardSize: ByteSize(1 << 30))
    try TinyModel.write(plan, to: directory("k"), inputs: [path], force: true)
  }
}
