import Architectures
import Checkpoints
import Conversion
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// Models cut for the ranks of Megatron, and put together again.
struct MegatronTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func export(
    _ source: String, _ profile: String, to output: String, _ topology: MegatronTopology = .init(),
    dtype: OutputType = .keep
  ) throws {
    var settings = ExportSettings(profile: profile)
    settings.topology.tensor = topology.tensor
    settings.topology.pipeline = topology.pipeline
    settings.topology.expert = topology.expert
    settings.dtype = dtype
    let file = try ModelFile.open(directory(source))
    try TinyModel.write(
      ExportProfiles.plan(file, settings: settings), to: directory(output),
      inputs: [directory(source)] + file.stored.files)
  }

  @Test(arguments: TinyModel.allCases)
  func `Hugging Face, Megatron and back, byte for byte`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"), type: .bfloat16)
    try export("s", "hf", to: "hf")
    for topology in [
      MegatronTopology(), .init(tensor: 2), .init(pipeline: 3), .init(tensor: 2, pipeline: 3),
    ] {
      guard (try? topology.check(ModelFile.open(directory("s")).description)) != nil else {
        continue
      }
      let name = "m\(topology.tensor)\(topology.pipeline)"
      try export("s", "megatron-torch", to: name, topology)
      let file = try ModelFile.open(directory(name))
      try file.requireSound()
      #expect(file.form == .megatron(topology))
      try export(name, "hf", to: name + "-hf")
      try expectSame("hf", name + "-hf", in: directory)
    }
  }

  @Test(arguments: ["gla_swa", "w8aspike", "experts", "intra-layer", "spikingbrain"])
  func `what only our layouts hold comes back too`(_ name: String) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("s"))
    try export("s", "spikingbrain", to: "own")
    let model = try ModelFile.open(directory("s")).description
    var count = 0
    for tensor in [1, 2] {
      for pipeline in [1, 2, 3] {
        for expert in [1, 2] {
          let topology = MegatronTopology(tensor: tensor, pipeline: pipeline, expert: expert)
          guard (try? topology.check(model)) != nil else { continue }
          count += 1
          let cut = "m\(tensor)\(pipeline)\(expert)"
          try export("s", "megatron-torch", to: cut, topology)
          try export(cut, "spikingbrain", to: cut + "-own")
          try expectSame("own", cut + "-own", in: directory)
        }
      }
    }
    #expect(count >= 4)
  }

  @Test func `cut once more for other ranks, it is what the model cut for these is`() throws {
    try TinyModel.synthesize(TinyModel.configuration("intra-layer"), to: directory("s"))
    let first = MegatronTopology(tensor: 2, pipeline: 2, expert: 4)
    let second = MegatronTopology(tensor: 1, pipeline: 4, expert: 2)
    try export("s", "megatron-torch", to: "a", first)
    try export("a", "megatron-torch", to: "b", second)
    try export("s", "megatron-torch", to: "c", second)
    for rank in second.ranks {
      let name = MegatronCheckpoint.fileName(directory: second.directoryName(of: rank))
      #expect(try Files.bytes(directory("b/\(name)")) == Files.bytes(directory("c/\(name)")))
    }
  }

  @Test func `queries, keys and values of a group lie together, gate over up on every rank`() throws
  {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try export("s", "megatron-torch", to: "m", .init(tensor: 2))
    let source = try ModelFile.open(directory("s"))
    let model = source.description
    let stored = try MegatronCheckpoint(path: directory("m"))
    func values(_ name: String) throws -> [Float] {
      let view = try stored.view(name)
      return (0..<view.bytes.count / 4).map {
        view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    }
    let edit = CheckpointEdit(directory("s"))
    func rows(_ name: String, _ range: Range<Int>) throws -> [Float] {
      let all = try edit.floats("model.layers.1.\(name)")
      return Array(all[range.lowerBound * model.hiddenSize..<range.upperBound * model.hiddenSize])
    }
    let d = model.headDim, group = model.heads / model.keyValueHeads * d
    let groups = model.keyValueHeads / 2
    for rank in 0..<2 {
      var expected: [Float] = []
      for g in rank * groups..<(rank + 1) * groups {
        expected += try rows("self_attn.q_proj.weight", g * group..<(g + 1) * group)
        expected += try rows("self_attn.k_proj.weight", g * d..<(g + 1) * d)
        expected += try rows("self_attn.v_proj.weight", g * d..<(g + 1) * d)
      }
      let prefix = "mp_rank_0\(rank)/decoder.layers.1."
      #expect(try values(prefix + "self_attention.linear_qkv.weight") == expected)
      let half = model.feedForwardSize / 2
      let part = rank * half..<(rank + 1) * half
      #expect(
        try values(prefix + "mlp.linear_fc1.weight")
          == rows("mlp.gate_proj.weight", part) + rows("mlp.up_proj.weight", part))
      let down = try edit.floats("model.layers.1.mlp.down_proj.weight")
      let columns = (0..<model.hiddenSize).flatMap { row in
        part.map { down[row * model.feedForwardSize + $0] }
      }
      #expect(try values(prefix + "mlp.linear_fc2.weight") == columns)
    }
    let padded = try values("mp_rank_01/embedding.word_embeddings.weight")
    let embedding = try edit.floats("model.embed_tokens.weight")
    #expect(Array(padded.suffix(model.hiddenSize)) == Array(embedding.suffix(model.hiddenSize)))
  }

  @Test func `files say what the model and its ranks are`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try export("s", "megatron-torch", to: "m", .init(tensor: 2, pipeline: 3))
    #expect(
      try Files.bytes(directory("m/latest_checkpointed_iteration.txt")) == Array("release".utf8))
    let model = try ModelFile.open(directory("s")).description
    let file = try PyTorchFile(path: directory("m/release/mp_rank_01_002/model_optim_rng.pt"))
    #expect(file.settings["checkpoint_version"]?.double == 3)
    #expect(file.settings["iteration"]?.int == 0)
    let args = try #require(file.settings["args"]?.object)
    #expect(args["tensor_model_parallel_size"]?.int == 2)
    #expect(args["pipeline_model_parallel_size"]?.int == 3)
    #expect(args["num_query_groups"]?.int == model.keyValueHeads)
    #expect(args["vocab_size"]?.int == model.vocabularySize)
    #expect(args["padded_vocab_size"]?.int == 512)
    #expect(args["add_qkv_bias"]?.bool == true && args["add_bias_linear"]?.bool == false)
    let manifest = try Manifest(directory: directory("m"))
    let qkv = try #require(
      manifest.tensors.first {
        $0.stored.name.hasSuffix("_001/decoder.layers.0.self_attention.linear_qkv.weight")
      })
    #expect(
      qkv.origin.transform.text
        == "assembled split rows, part 1, parts 2, "
        + "of decoder.layers.1.self_attention.linear_qkv.weight")
    #expect(
      qkv.origin.tensors
        == ["q", "k", "v"].map { "model.layers.1.self_attn.\($0)_proj.weight" })
  }

  @Test(arguments: [TinyModel.qwen2, .qwen2Tied, .qwen3, .llama, .llamaBias, .llamaLinear])
  func `arguments alone describe a dense model`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"))
    guard (try? export("s", "megatron-torch", to: "m", .init(tensor: 2))) != nil else { return }
    try Files.remove(directory("m/config.json"))
    let source = try ModelFile.open(directory("s"))
    let file = try ModelFile.open(directory("m"))
    try file.requireSound()
    #expect(file.description.layers == source.description.layers)
    #expect(file.description.rotary == source.description.rotary)
    #expect(file.description.vocabularySize == source.description.vocabularySize)
    #expect(file.description.requirements == source.description.requirements)
    try export("m", "hf", to: "back")
    try export("s", "hf", to: "hf")
    #expect(
      try Files.bytes(directory("hf/model.safetensors"))
        == Files.bytes(directory("back/model.safetensors")))
  }

  @Test func `types are kept, or cast and said so`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try export("s", "megatron-torch", to: "m", .init(tensor: 2), dtype: .bfloat16)
    let file = try ModelFile.open(directory("m"))
    #expect(file.stored.tensors.allSatisfy { $0.type == .bfloat16 })
    let manifest = try Manifest(directory: directory("m"))
    #expect(manifest.recipe.compact.contains("Rounded: cast from float32 to bfloat16"))
  }

  @Test func `what does not fit is refused before anything is written`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    #expect(throws: MegatronTopologyError.noExperts(ranks: 2)) {
      try export("s", "megatron-torch", to: "m", .init(expert: 2))
    }
    #expect(throws: MegatronTopologyError.self) {
      try export("s", "megatron-torch", to: "m", .init(pipeline: 7))
    }
    #expect(!Files.exist(directory("m")) && !Files.exist(directory("m.partial")))
  }

  @Test func `a killed export is finished with the same bytes`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try export("s", "megatron-torch", to: "m", .init(tensor: 2))
    var settings = ExportSettings(profile: "megatron-torch")
    settings.topology.tensor = 2
    let file = try ModelFile.open(directory("s"))
    var plan = try ExportProfiles.plan(file, settings: settings)
    let broken = plan.tensors.count - 3
    let whole = plan.tensors[broken].transform
    plan.tensors[broken].transform = FailingTransform(like: whole)
    let inputs = [directory("s")] + file.stored.files
    #expect(throws: FailingTransform.Failure.self) {
      try TinyModel.write(plan, to: directory("r"), inputs: inputs)
    }
    plan.tensors[broken].transform = whole
    try TinyModel.write(plan, to: directory("r"), inputs: inputs, resume: true)
    for rank in 0..<2 {
      let name = "release/mp_rank_0\(rank)/model_optim_rng.pt"
      #expect(try Files.bytes(directory("r/\(name)")) == Files.bytes(directory("m/\(name)")))
    }
  }
}

/// Fails after the first bytes.
private struct FailingTransform: TensorTransform {
  struct Failure: Error {}

  let record: TransformRecord
  let sources: [String]

  init(like transform: any TensorTransform) {
    record = transform.record
    sources = transform.sources
  }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    throw Failure()
  }
}
