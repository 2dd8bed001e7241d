import Architectures
import Checkpoints
import Conversion
import Foundations
import Kernels
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// Models that leave as GGUF files and come back.
struct GGUFExportTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The checkpoint `from` as GGUF in directory `x`, opened.
  private func exported(
    _ from: String, shardSize: Int? = nil, dtype: OutputType = .keep
  ) throws -> ModelFile {
    try TinyModel.export(directory(from), to: directory("x"), profile: "gguf") {
      $0.dtype = dtype
      if let shardSize { $0.shardSize = ByteSize(shardSize) }
    }
    let file = try ModelFile.open(directory("x"))
    try file.requireSound()
    return file
  }

  /// A 7B-layout model with its projections as integers, in directory `q`.
  private func quantise(
    _ granularity: ScaleGranularity, _ changes: [String: JSONValue?] = [:],
    codes: WeightCodes = .int8
  ) throws {
    try TinyModel.synthesize(TinyModel.configuration("w8aspike", changes), to: directory("m"))
    try TinyModel.quantise(directory("m"), to: directory("q"), granularity, codes: codes)
  }

  private func expectSame(_ file: ModelFile, as source: ModelFile) throws {
    #expect(file.description == source.description)
    #expect(file.configuration.object == source.configuration.object)
    #expect(file.tensors.count == source.tensors.count)
    for (address, tensor) in source.tensors {
      #expect(file.tensors[address]?.name == tensor.name)
      let view = try file.view(address), original = try source.view(address)
      #expect(view.bytes.elementsEqual(original.bytes), "\(address)")
    }
  }

  @Test(arguments: [
    "w8aspike", "experts", "intra-layer", "qwen2", "qwen2-tied", "qwen3", "llama-rope-llama3",
  ])
  func `the same model comes back`(_ name: String) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("m"), type: .bfloat16)
    let source = try ModelFile.open(directory("m"))
    let file = try exported("m")
    try expectSame(file, as: source)
    #expect(try Files.tree(directory("x")).keys.sorted() == ["manifest.json", "model.gguf"])
    // And leaves again, as what it was.
    if source.architecture.isSource {
      try TinyModel.export(directory("x"), to: directory("hf"), profile: "hf")
      for file in ["model.safetensors", "config.json"] {
        #expect(try Files.bytes(directory("hf/\(file)")) == Files.bytes(directory("m/\(file)")))
      }
    }
  }

  @Test func `in parts, from one of them alone, and again byte for byte`() throws {
    try TinyModel.synthesize(TinyModel.configuration("experts"), to: directory("m"))
    let source = try ModelFile.open(directory("m"))
    let file = try exported("m", shardSize: 100_000)
    try expectSame(file, as: source)
    #expect(file.reader.files.count > 2)
    #expect(file.reader.files.allSatisfy { $0.contains("-of-000") })
    let first = try #require(file.reader.files.first)
    try expectSame(ModelFile.open(first), as: source)
    try TinyModel.export(directory("x"), to: directory("y"), profile: "gguf")
    try TinyModel.export(directory("m"), to: directory("z"), profile: "gguf")
    #expect(
      try Files.bytes(directory("y/model.gguf")) == Files.bytes(directory("z/model.gguf")))
  }

  @Test func `the tokenizer and its files are inside`() throws {
    try TinyModel.export(Repository.tinyQwen2, to: directory("x"), profile: "gguf")
    let file = try ModelFile.open(directory("x")), source = try ModelFile.open(Repository.tinyQwen2)
    _ = try file.tokenizer.load()
    #expect(try file.endTokens() == source.endTokens())
    try TinyModel.export(directory("x"), to: directory("hf"), profile: "hf")
    for name in TokenizerSource.fileNames where Files.exist("\(Repository.tinyQwen2)/\(name)") {
      #expect(
        try Files.bytes(directory("hf/\(name)")) == Files.bytes("\(Repository.tinyQwen2)/\(name)"),
        "\(name)")
    }
  }

  @Test(
    arguments: [ScaleGranularity.group(32), .group(128), .group(256), .channel],
    WeightCodes.allCases)
  func `codes are blocks of Q8_0 or Q4_0`(
    _ granularity: ScaleGranularity, _ codes: WeightCodes
  ) throws {
    try quantise(granularity, codes: codes)
    let source = try ModelFile.open(directory("q"))
    let file = try exported("q")
    #expect(file.description == source.description)
    #expect(file.form == .blocks)
    let weight = TensorAddress(.ffnDown, layer: 1)
    #expect(try file.stored.view(#require(file.tensors[weight]?.name)).type == codes.blocks)
    var scales = 0
    for (address, tensor) in source.tensors {
      let view = try file.view(address), original = try source.view(address)
      #expect(view.type == original.type && view.shape == original.shape)
      guard address.parameter == .scale else {
        #expect(view.bytes.elementsEqual(original.bytes), "\(tensor.name)")
        continue
      }
      scales += 1
      let pairs = zip(floats(view), floats(original))
      #expect(pairs.allSatisfy { $0 == FloatCast.float(float16: FloatCast.float16($1)) })
      // Those of 4 bits are held as they are.
      #expect(codes == .int8 || pairs.allSatisfy { $0 == $1 })
    }
    #expect(scales == 21)
  }

  @Test func `blocks as GGUF readers decode them are code x scale`() throws {
    try quantise(.group(128))
    let file = try exported("q")
    let address = TensorAddress(.query, layer: 0)
    var scale = address
    scale.parameter = .scale
    let codes = try file.view(address), scales = floats(try file.view(scale))
    let blocks = try file.stored.view(#require(file.tensors[address]?.name))
    var decoded = [Float](repeating: 0, count: blocks.rows * blocks.columns)
    RowDecoder.decode(blocks, rows: 0..<blocks.rows, into: &decoded)
    let each = blocks.columns / 128
    for index in decoded.indices {
      let place = index / blocks.columns * each + index % blocks.columns / 128
      #expect(decoded[index] == Float(Int8(bitPattern: codes.bytes[index])) * scales[place])
    }
  }

  @Test func `groups whose blocks have several scales are refused`() throws {
    try quantise(.group(128))
    let file = try exported("q")
    let address = TensorAddress(.query, layer: 0)
    let name = try #require(file.tensors[address]?.name)
    let place = try #require(file.stored.tensor(named: name)).offset + 34
    var bytes = try Files.bytes(directory("x/model.gguf"))
    bytes[place] ^= 1
    try directory.write("changed.gguf", bytes)
    var scale = address
    scale.parameter = .scale
    #expect {
      _ = try ModelFile.open(directory("changed.gguf")).view(scale)
    } throws: { "\($0)".contains("several scales") && "\($0)".contains(name) }
  }

  @Test func `rows that blocks do not divide are refused, W8ASpike too`() throws {
    try quantise(.channel, ["intermediate_size": 272])
    #expect(
      throws: ExportError.inputs(
        tensor: "model.layers.0.mlp.down_proj.weight", count: 272, groupSize: 32)
    ) { try exported("q") }
    try TinyModel.synthesize(TinyModel.configuration("w8aspike"), to: directory("n"))
    try TinyModel.export(directory("n"), to: directory("w"), profile: "w8aspike")
    #expect { try exported("w") } throws: { "\($0)".contains("W8ASpike weights") }
    #expect(!directory.names.contains("x"))
  }

  @Test func `scales that 16 bits cannot hold are refused`() throws {
    try quantise(.group(128))
    let name = "model.layers.0.attn.q_proj.weight"
    try CheckpointEdit(directory("q")).overwrite(name + "_scale", with: [1e-9])
    #expect(throws: ExportError.scale(tensor: name, value: 1e-9, type: .q8_0)) {
      try exported("q")
    }
  }

  @Test func `other types, foreign files and compressed-tensors`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let half = try exported("hf", dtype: .float16)
    #expect(half.types.map(\.type) == [.float16])
    let gguf = try GGUFModel(directory("hf"), as: "llama")
    try directory.write("m.gguf", gguf.writer.bytes)
    try TinyModel.export(directory("m.gguf"), to: directory("y"), profile: "gguf")
    let own = try ModelFile.open(directory("y")), source = try ModelFile.open(directory("hf"))
    for address in source.tensors.keys {
      #expect(try own.view(address).bytes.elementsEqual(source.view(address).bytes), "\(address)")
    }
    try quantise(.channel)
    try TinyModel.export(directory("q"), to: directory("w"), profile: "w8a8")
    try TinyModel.export(directory("w"), to: directory("z"), profile: "gguf")
    let back = try ModelFile.open(directory("z"))
    #expect(
      back.description.quantization == WeightQuantization(.int8, .channel) && back.problems.isEmpty)
  }

  @Test func `metadata that disagrees or is damaged is refused`() throws {
    func error(_ change: (inout GGUFWriter) -> Void) throws -> String {
      var writer = GGUFWriter()
      writer.set("general.architecture", "spikingbrain")
      change(&writer)
      try directory.write("bad.gguf", writer.bytes)
      do {
        _ = try ModelFile.open(directory("bad.gguf"))
        return ""
      } catch { return "\(error)" }
    }
    let config = JSONValue.object(try TinyModel.configuration("w8aspike").object).compact
    #expect(try error { _ in }.contains("spikingbrain.config: is missing"))
    #expect(try error { $0.set("spikingbrain.config", "{") }.contains("spikingbrain.config"))
    #expect(try error { $0.set("spikingbrain.config", "[]") }.contains("JSON object"))
    #expect(
      try error {
        $0.set("spikingbrain.config", config)
        $0.set("spikingbrain.block_count", 77)
      }.contains("spikingbrain.block_count: is 77, spikingbrain.config says"))
  }

  private func floats(_ view: TensorView) -> [Float] {
    (0..<view.bytes.count / 4).map {
      view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
    }
  }
}
