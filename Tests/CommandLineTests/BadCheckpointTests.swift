import TestSupport
import Testing

/// Damaged sources: exit 2, one message that names the file or tensor, nothing left behind.
struct BadCheckpointTests {
  @Test(arguments: Damage.all)
  func `convert refuses`(_ damage: Damage) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"), shardSize: damage.shardSize)
    try damage.apply(directory)
    let before = directory.names
    let result = try Program.run("convert", directory("s"), directory("out"))
    result.refused(naming: damage.words)
    #expect(directory.names == before, "no output and no partial output")
  }

  @Test(arguments: Damage.all.filter { $0.testDescription != "an unreadable tokenizer" })
  func `verify and logits do too`(_ damage: Damage) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"), shardSize: damage.shardSize)
    try damage.apply(directory)
    try Program.run("logits", directory("s"), "--tokens", "1", "--output", directory("l"))
      .refused(naming: damage.words)
    #expect(!Files.exist(directory("l")))
    // verify says the same of a readable file as the result of its first check.
    let verified = try Program.run("verify", directory("s"))
    #expect([1, 2].contains(verified.code), "\(verified)")
    #expect(damage.words.allSatisfy((verified.text + verified.error).contains))
  }

  @Test func `a truncated GGUF file`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("hf"))
    let bytes = try GGUFModel(directory("hf"), as: "llama").writer.bytes
    for count in [30, 3000, bytes.count - 1] {
      let file = try directory.write("m.gguf", Array(bytes.prefix(count)))
      try Program.run("convert", file, directory("out")).refused(naming: "m.gguf")
    }
    #expect(directory.names == ["hf", "m.gguf"])
  }

  @Test func `a converted checkpoint`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.synthesize(TinyModel.configuration("gla_swa"), to: directory("s"))
    try Program.run("convert", directory("s"), directory("out"))
      .refused(naming: "gla_swa", "already converted", "llama, qwen2, qwen3, qwen3_moe, mistral")
    #expect(directory.names == ["s"])
  }

  @Test func `a tensor that float16 cannot hold leaves nothing`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
    let name = "model.layers.1.mlp.up_proj.weight"
    try CheckpointEdit(directory("s")).overwrite(name, element: 70, with: [1e6])
    try Program.run("convert", directory("s"), directory("out"), "--dtype", "float16")
      .refused(naming: name, "1000000.0", "--dtype bfloat16")
    #expect(directory.names == ["s"])
  }
}
