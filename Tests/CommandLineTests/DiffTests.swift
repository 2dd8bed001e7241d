import Foundation
import StepSettings
import StrictJSON
import TestSupport
import Testing

/// Two checkpoints beside each other.
struct DiffTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func diff(_ arguments: String...) throws -> (code: Int, json: JSONObject) {
    let result = try Program.run(["diff"] + arguments + ["--json"])
    return (result.code, try JSONParser.parse(result.output).object ?? [:])
  }

  @Test func `a checkpoint agrees with itself`() throws {
    let source = Repository.tinyQwen2
    let found = try diff(source, source, "--tokens", "1,2,3")
    #expect(found.code == 0)
    #expect(found.json["equal"]?.bool == true)
    #expect(found.json["logits"]?["relative"]?.double == 0)
    #expect(found.json["tensors"]?["differing"]?.array?.isEmpty == true)
  }

  @Test func `numbers in a wider type are the same numbers, rounded ones within a tolerance`()
    throws
  {
    try TinyModel.qwen2.synthesize(to: directory("wide"))
    try TinyModel.convert(directory("wide"), to: directory("a"))
    try TinyModel.convert(directory("wide"), to: directory("b")) { $0.dtype = .bfloat16 }
    let exact = try diff(directory("a"), directory("b"))
    #expect(exact.code == 1)
    let tensors = try #require(exact.json["tensors"])
    #expect(tensors["same_after_cast"]?.int == tensors["differing"]?.array?.count)
    #expect(try diff(directory("a"), directory("b"), "--tolerance", "0.01").code == 0)
    // The other way round.
    #expect(try diff(directory("b"), directory("a"), "--tolerance", "0.01").code == 0)
  }

  @Test func `one number that was changed is found by its name`() throws {
    for name in ["a", "b"] { try TinyModel.qwen2.synthesize(to: directory(name)) }
    let path = directory("b/model.safetensors")
    var bytes = try Files.bytes(path)
    bytes[bytes.count - 2] ^= 0x10
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let result = try Program.run("diff", directory("a"), directory("b"))
    #expect(result.code == 1)
    #expect(result.text.contains("1 that differ"))
    #expect(
      try diff(directory("a"), directory("b")).json["tensors"]?["differing"]?.array?.count == 1)
  }

  @Test func `another model has other keys and other tensors`() throws {
    try TinyModel.qwen2.synthesize(to: directory("a"))
    try TinyModel.convert(directory("a"), to: directory("b"))
    let found = try diff(directory("a"), directory("b"))
    #expect(found.code == 1)
    #expect(found.json["tensors"]?["only_b"]?.array?.isEmpty == false)
    #expect(found.json["tensors"]?["only_a"]?.array?.isEmpty == true)
    #expect(found.json["configuration"]?.array?.isEmpty == false)
  }

  @Test func `what is no checkpoint is an error, not a difference`() throws {
    #expect(try Program.run("diff", Repository.tinyQwen2, directory("none")).code == 2)
    let both = try Program.run(
      "diff", Repository.tinyQwen2, Repository.tinyQwen2, "--tokens", "1", "--text", "x")
    #expect(both.code == 2)
  }
}
