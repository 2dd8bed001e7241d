import Architectures
import Checkpoints
import Conversion
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// `megatron-dist`: keys, chunks and bytes, read with the reader of distributed checkpoints and
/// compared with what the source holds at the same place.
struct MegatronDistTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func export(
    _ source: String, to output: String = "x", tp: Int = 1, pp: Int = 1, ep: Int = 1,
    shardSize: Int = 1 << 30
  ) throws -> DistributedCheckpoint {
    var settings = ExportSettings(profile: "megatron-dist")
    settings.topology.tensor = tp
    settings.topology.pipeline = pp
    settings.topology.expert = ep
    settings.shardSize = ByteSize(shardSize)
    let file = try ModelFile.open(directory(source))
    try TinyModel.write(
      ExportProfiles.plan(file, settings: settings), to: directory(output),
      inputs: [directory(source)])
    return try DistributedCheckpoint(path: directory("\(output)/release"))
  }

  private func floats(_ view: TensorView) -> [Float] {
    (0..<view.bytes.count / 4).map {
      view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
    }
  }

  /// The rows `rows` of a tensor of the source.
  private func rows(_ file: ModelFile, _ name: String, _ rows: Range<Int>) throws -> [Float] {
    let view = try file.stored.view(name)
    let width = view.shape.dimensions.count == 1 ? 1 : view.columns
    return Array(floats(view)[rows.lowerBound * width..<rows.upperBound * width])
  }

  @Test(arguments: [(1, 1), (2, 1), (2, 3)])
  func `layers that are alike share keys`(_ tp: Int, _ pp: Int) throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    let stored = try export("m", tp: tp, pp: pp)
    let layers = 3, d = 16, hidden = 64, width = 112
    let qkv = try stored.view("decoder.layers.self_attention.linear_qkv.weight")
    #expect(qkv.shape == [layers, 8 * d, hidden])
    let values = floats(qkv)
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer).self_attn."
      // Two groups of two queries, a key and a value.
      var expected: [Float] = []
      for group in 0..<2 {
        let queries = group * 2 * d..<(group + 1) * 2 * d, keys = group * d..<(group + 1) * d
        expected += try rows(file, prefix + "q_proj.weight", queries)
        expected += try rows(file, prefix + "k_proj.weight", keys)
        expected += try rows(file, prefix + "v_proj.weight", keys)
      }
      let size = 8 * d * hidden
      #expect(Array(values[layer * size..<(layer + 1) * size]) == expected)
    }
    let gateUp = try stored.view(
      "decoder.layers.mlp.linear_fc1.weight",
      box: TensorBox(offsets: [1, 0, 0], sizes: [1, 2 * width, hidden]))
    let gate = try rows(file, "model.layers.1.mlp.gate_proj.weight", 0..<width)
    let up = try rows(file, "model.layers.1.mlp.up_proj.weight", 0..<width)
    #expect(floats(gateUp) == gate + up)
    let embedding = try stored.view("embedding.word_embeddings.weight")
    let padded = tp == 1 ? 384 : 512
    #expect(embedding.shape == [padded, hidden])
    let last = try rows(file, "model.embed_tokens.weight", 319..<320)
    #expect(Array(floats(embedding).suffix(hidden)) == last)
    #expect(stored.tensors.count == 10)
    #expect(
      stored.objects.contains(
        "decoder.layers.self_attention.linear_qkv._extra_state/shard_2_\(layers)"))
    #expect(stored.objects.count == 4 * layers)
    #expect(stored.files.count == tp * pp)
  }

  @Test func `hybrids have keys by layer, experts a dimension of their own`() throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    try TinyModel.convert(directory("m"), to: directory("c"))
    try TinyModel.upcycle(directory("c"), to: directory("u")) {
      $0.experts = 4
      $0.denseLayers = .list([0])
    }
    let file = try ModelFile.open(directory("u"))
    let stored = try export("u", tp: 2, ep: 2)
    #expect(stored.tensor(named: "decoder.layers.self_attention.linear_qkv.weight") == nil)
    let down = try stored.view("decoder.layers.2.mlp.experts.experts.linear_fc2.weight")
    #expect(down.shape == [4, 64, 112])
    var expected: [Float] = []
    for expert in 0..<4 {
      expected += try rows(file, "model.layers.2.mlp.experts.\(expert).down_proj.weight", 0..<64)
    }
    #expect(floats(down) == expected)
    let gate = try stored.view("decoder.layers.0.self_attention.gk_proj.1.weight")
    #expect(
      try floats(gate) == rows(file, "model.layers.0.attn.gk_proj.1.weight", 0..<gate.rows))
    #expect(stored.tensor(named: "decoder.layers.0.mlp.linear_fc1.weight")?.shape == [224, 64])
    #expect(
      stored.objects.contains(
        "decoder.layers.1.mlp.experts.experts.linear_fc1._extra_state/shard_3_4"))
    #expect(
      stored.objects.contains("decoder.layers.0.mlp.linear_fc1._extra_state/shard_0_1"))
    // Expert ranks write their own experts and nothing else.
    #expect(stored.files.count == 4)
    let chunks = DistributedChunks(of: stored).tensors
    let ofThird = chunks.filter { $0.file.hasSuffix("__2_0.distcp") }
    #expect(!ofThird.isEmpty && ofThird.allSatisfy { $0.name.contains(".experts.experts.") })
    #expect(Set(chunks.map(\.name)).count == chunks.count)
  }

  @Test func `the same bytes again, and the same tensors in smaller files`() throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    let whole = try export("m", tp: 2)
    _ = try export("m", to: "y", tp: 2)
    #expect(try Files.tree(directory("x")) == Files.tree(directory("y")))
    let cut = try export("m", to: "z", tp: 2, shardSize: 100_000)
    #expect(cut.files.count > 4)
    for tensor in whole.tensors {
      #expect(try floats(whole.view(tensor.name)) == floats(cut.view(tensor.name)))
    }
    for file in cut.files where cut.tensors.count(where: { $0.file == file }) > 1 {
      #expect(try Files.bytes(file).count <= 100_000)
    }
    let tracker = try Files.text(directory("x/latest_checkpointed_iteration.txt"))
    #expect(tracker == "release")
    let backends = try JSONParser.parse(Files.bytes(directory("x/release/metadata.json")))
    #expect(backends["sharded_backend"]?.string == "torch_dist")
  }

  @Test func `tied heads are not stored`() throws {
    try TinyModel.qwen2Tied.synthesize(to: directory("m"))
    for (output, pp) in [("x", 1), ("y", 3)] {
      let stored = try export("m", to: output, pp: pp)
      #expect(stored.tensor(named: "output_layer.weight") == nil)
      #expect(stored.tensor(named: "embedding.word_embeddings.weight") != nil)
    }
  }

  private func backAgain(_ source: String, _ profile: String, to output: String) throws {
    let file = try ModelFile.open(directory(source))
    try file.requireSound()
    try TinyModel.write(
      ExportProfiles.plan(file, settings: ExportSettings(profile: profile)),
      to: directory(output), inputs: [directory(source)] + file.stored.files)
  }

  @Test(arguments: TinyModel.allCases)
  func `Hugging Face, Megatron and back, byte for byte`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"), type: .bfloat16)
    try backAgain("s", "hf", to: "hf")
    let description = try ModelFile.open(directory("s")).description
    for topology in [MegatronTopology(), .init(tensor: 2), .init(tensor: 2, pipeline: 3)] {
      guard (try? topology.check(description)) != nil else { continue }
      let name = "m\(topology.tensor)\(topology.pipeline)"
      _ = try export("s", to: name, tp: topology.tensor, pp: topology.pipeline)
      #expect(try ModelFile.open(directory(name)).form == .megatron(topology))
      try backAgain(name, "hf", to: name + "-hf")
      try expectSame("hf", name + "-hf", in: directory)
    }
  }

  @Test(arguments: ["gla_swa", "w8aspike", "experts", "intra-layer", "spikingbrain"])
  func `what only our layouts hold comes back too`(_ name: String) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("s"))
    try backAgain("s", "spikingbrain", to: "own")
    let description = try ModelFile.open(directory("s")).description
    var count = 0
    for topology in [
      MegatronTopology(), .init(tensor: 2), .init(expert: 2), .init(tensor: 2, pipeline: 3),
      .init(tensor: 2, expert: 4),
    ] {
      guard (try? topology.check(description)) != nil else { continue }
      count += 1
      let cut = "m\(count)"
      _ = try export(
        "s", to: cut, tp: topology.tensor, pp: topology.pipeline, ep: topology.expert)
      try backAgain(cut, "spikingbrain", to: cut + "-own")
      try expectSame("own", cut + "-own", in: directory)
    }
    #expect(count > 1)
  }

  @Test func `the iteration's directory alone, and arguments without a config`() throws {
    try TinyModel.qwen3.synthesize(to: directory("s"))
    _ = try export("s", tp: 2)
    let source = try ModelFile.open(directory("s"))
    let inside = try ModelFile.open(directory("x/release"))
    #expect(inside.description == source.description)
    try Files.remove(directory("x/config.json"))
    let bare = try ModelFile.open(directory("x/release"))
    try bare.requireSound()
    #expect(bare.description.layers == source.description.layers)
    for requirement in source.description.requirements {
      let mine = try bare.view(requirement.address), theirs = try source.view(requirement.address)
      #expect(mine.bytes.elementsEqual(theirs.bytes), "\(requirement.address)")
    }
    try Files.remove(directory("x/release/common.pt"))
    #expect(throws: ModelFileError.self) { try ModelFile.open(directory("x")) }
  }

  @Test func `a tensor that is missing or too much is named`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    _ = try export("s")
    var config = try JSONFile.object(directory("x/config.json"))
    config["num_hidden_layers"] = 2
    config["tie_word_embeddings"] = true
    try directory.write("x/config.json", JSONValue.object(config).pretty)
    let file = try ModelFile.open(directory("x"))
    let texts = file.problems.map(\.text)
    #expect(texts.contains { $0.contains("output_layer.weight") && $0.contains("not part") })
    #expect(texts.contains { $0.contains("linear_qkv.weight") && $0.contains("[3, 128, 64]") })
    #expect(throws: ModelFileError.self) { try file.requireSound() }
  }

  /// A checkpoint that PyTorch's FSDP would write: the names of Hugging Face in one file.
  @Test func `other names are those of the configuration`() throws {
    try TinyModel.llama.synthesize(to: directory("s"))
    let source = try ModelFile.open(directory("s"))
    var bytes: [UInt8] = [], items: [DistributedDescription.Item] = []
    for tensor in source.stored.tensors {
      var writer = PickleWriter()
      writer.tensor(storage: 0, type: tensor.type, shape: tensor.shape)
      let archive = PyTorchArchive(pickle: writer.finish(), storages: [tensor.byteCount])
      let sizes = tensor.shape.dimensions
      items.append(
        .init(
          name: tensor.name, chunk: (tensor.type, tensor.shape, sizes.map { _ in 0 }, sizes),
          file: "part.distcp", offset: bytes.count, byteCount: archive.byteCount))
      let view = try source.stored.view(tensor.name)
      try archive.write(with: { bytes += $0 }) { _, observe in
        bytes += Array(view.bytes)
        observe(view.bytes)
      }
    }
    try directory.write("d/part.distcp", bytes)
    try directory.write("d/.metadata", DistributedDescription.pickle(of: items))
    try Files.copy(directory("s/config.json"), to: directory("d/config.json"))
    let file = try ModelFile.open(directory("d"))
    try file.requireSound()
    #expect(file.form == .own)
    for tensor in source.stored.tensors {
      let view = try source.stored.view(tensor.name)
      #expect(try file.stored.view(tensor.name).bytes.elementsEqual(view.bytes))
    }
  }

  @Test func `ranks that do not fit are refused`() throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    for (tp, pp, ep) in [(3, 1, 1), (4, 1, 1), (1, 2, 1), (1, 1, 2)] {
      var settings = ExportSettings(profile: "megatron-dist")
      settings.topology.tensor = tp
      settings.topology.pipeline = pp
      settings.topology.expert = ep
      #expect(throws: MegatronTopologyError.self) {
        try ExportProfiles.plan(file, settings: settings)
      }
    }
  }
}
