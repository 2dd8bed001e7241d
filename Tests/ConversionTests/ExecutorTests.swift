import Architectures
import Checkpoints
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// Written checkpoints.
struct ExecutorTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `the files are shards, configuration, index, companions and the manifest`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    for name in ["tokenizer.json", "generation_config.json", "notes.txt"] {
      try directory.write("s/" + name, "{}")
    }
    try TinyModel.convert(directory("s"), to: directory("c")) { $0.shardSize = ByteSize(150_000) }
    let reader = try SafetensorsCheckpoint(path: directory("c"))
    let shards = reader.files.map { $0.split(separator: "/").last.map(String.init) ?? "" }
    #expect(shards.count >= 3)
    #expect(shards.first == "model-00001-of-0000\(shards.count).safetensors")
    #expect(
      Set(try Files.tree(directory("c")).keys)
        == Set(shards).union([
          "config.json", "model.safetensors.index.json", "tokenizer.json",
          "generation_config.json", "manifest.json",
        ]))
    for file in reader.files {
      let bytes = reader.tensors.filter { $0.file == file }.reduce(0) { $0 + $1.byteCount }
      #expect(bytes <= 150_000)
    }
    #expect(directory.names == ["c", "s"], "no partial directory stays")
  }

  /// Those of Llama 3 and Gemma have 9 and 33 MB, more than any configuration may.
  @Test func `a tokenizer may be large`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    let text = "{\"version\": \"1.0\"" + String(repeating: " ", count: JSONFile.largest) + "}"
    try directory.write("s/tokenizer.json", text)
    try TinyModel.convert(directory("s"), to: directory("c"))
    #expect(try Files.text(directory("c/tokenizer.json")) == text)
  }

  @Test func `what the disk has no room for is not started`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    let plan = try ConversionPlan.make(
      from: ModelFile.open(directory("s")), settings: TinyModel.settings { _ in })
    let executor = try CheckpointExecutor(plan, tool: .init(name: "t", version: "1"))
    let output = try OutputDirectory(begin: directory("c"), fingerprint: [:])
    try executor.requireSpace(in: output, workspace: 1 << 10)
    do {
      try executor.requireSpace(in: output, workspace: 1 << 60)
      Issue.record("an exabyte was free")
    } catch ConversionError.notEnoughDisk(let path, let needed, let free) {
      #expect(path == directory("c"))
      #expect(needed > 1 << 60 && free < needed)
    }
  }

  @Test func `a plan says beforehand which files there will be`() throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    let settings = TinyModel.settings { $0.shardSize = ByteSize(100_000) }
    let plan = try ConversionPlan.make(from: ModelFile.open(directory("s")), settings: settings)
    let executor = try CheckpointExecutor(plan, tool: .init(name: "t", version: "1"))
    try executor.run(to: directory("c"), mode: .init(), inputs: [])
    let tree = try Files.tree(directory("c"))
    for (name, bytes) in executor.files { #expect(tree[name]?.count == bytes) }
    #expect(executor.fileBytes == executor.files.reduce(0) { $0 + $1.bytes })
    #expect(tree.keys.filter { $0.hasSuffix(".safetensors") }.count == executor.files.count)
  }

  @Test(arguments: [TinyModel.qwen2Tied, .qwen3])
  func `equal inputs give equal bytes`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"))
    for name in ["a", "b"] {
      try TinyModel.convert(directory("s"), to: directory(name)) {
        $0.shardSize = ByteSize(100_000)
        $0.dtype = .bfloat16
      }
    }
    #expect(try Files.tree(directory("a")) == Files.tree(directory("b")))
  }

  @Test func `synthesis depends on its seed`() throws {
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] as [(String, UInt64)] {
      try TinyModel.llama.synthesize(to: directory(name), seed: seed)
    }
    let trees = try ["a", "b", "c"].map { try Files.tree(directory($0))["model.safetensors"] }
    #expect(trees[0] == trees[1])
    #expect(trees[0] != trees[2])
  }

  @Test func `the manifest lists every file and where every tensor came from`() throws {
    try TinyModel.qwen2Tied.synthesize(to: directory("s"), type: .bfloat16)
    try TinyModel.convert(directory("s"), to: directory("c")) { $0.dtype = .float32 }
    let manifest = try Manifest(directory: directory("c"))
    #expect(try manifest.verifyFiles(in: directory("c")) == [])
    #expect(manifest.files.map(\.name) == ["config.json", "model.safetensors"])
    #expect(manifest.tool == .init(name: "tests", version: "1"))
    #expect(manifest.recipe["step"]?.string == "convert")
    #expect(manifest.source["model_type"]?.string == "qwen2")
    #expect(manifest.source["format"]?.string == "safetensors")
    let origins = Dictionary(
      uniqueKeysWithValues: manifest.tensors.map { ($0.stored.name, $0.origin) })
    #expect(origins.count == (try ModelFile.open(directory("c"))).tensors.count)
    #expect(
      origins["lm_head.weight"]
        == .init(
          tensors: ["model.embed_tokens.weight"],
          transform: TransformRecord("cast", [("from", "bfloat16"), ("to", "float32")])))
    #expect(
      origins["model.layers.0.attn.gk_proj.1.bias"]
        == .init(tensors: [], transform: TransformRecord("constant", [("value", .float(0))])))
    let text = try Files.text(directory("c/manifest.json"))
    #expect(!text.contains(directory.path), "no path of the run")
  }

  @Test func `an existing output is refused, and replaced when asked to`() throws {
    try TinyModel.llama.synthesize(to: directory("m"), seed: 1)
    let before = try Files.tree(directory("m"))
    #expect(throws: CheckpointError.outputExists(path: directory("m"))) {
      try TinyModel.llama.synthesize(to: directory("m"), seed: 2)
    }
    #expect(try Files.tree(directory("m")) == before)
    let plan = try SyntheticPlan.make(
      TinyModel.llama.configuration(), type: .float32, seed: 2, shardSize: ByteSize(1 << 30),
      sparse: false)
    try TinyModel.write(plan, to: directory("m"), force: true)
    #expect(try Files.tree(directory("m")) != before)
    #expect(directory.names == ["m"])
  }

  @Test func `the source is never replaced`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    let before = try Files.tree(directory("m"))
    let file = try ModelFile.open(directory("m"))
    let plan = try ConversionPlan.make(from: file, settings: .init())
    #expect(throws: CheckpointError.self) {
      try TinyModel.write(
        plan, to: directory("m"), inputs: [file.path] + file.reader.files, force: true)
    }
    #expect(try Files.tree(directory("m")) == before)
  }

  @Test func `a sparse checkpoint has its full size and holds zeros`() throws {
    let plan = try SyntheticPlan.make(
      TinyModel.llama.configuration(), type: .float16, seed: 1, shardSize: ByteSize(1 << 30),
      sparse: true)
    try TinyModel.write(plan, to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [])
    #expect(file.types.map(\.type) == [.float16])
    #expect(try file.view(TensorAddress(.embedding)).bytes.allSatisfy { $0 == 0 })
    #expect(
      try Manifest(directory: directory("m")).verifyFiles(in: directory("m")) == [])
  }
}
