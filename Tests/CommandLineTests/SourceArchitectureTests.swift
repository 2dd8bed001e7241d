import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Source architectures that are not like Llama, through the program.
struct SourceArchitectureTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Those that Megatron cannot hold either.
  static let kinds = [
    "phi3", "gemma2", "olmo2", "granite", "gemma3_text", "olmo3", "smollm3", "ministral3",
    "minicpm",
    "qwen3_moe", "mixtral", "olmoe",
  ]

  @Test(arguments: kinds)
  func `inspect, logits, convert and verify`(_ kind: String) throws {
    let source = Repository.fixture("sources/\(kind)")
    let facts = try Program.run("inspect", source, "--json").json()
    #expect(facts["architecture"]?.string == kind)
    #expect(facts["convertible"] == true)
    #expect(facts["problems"] == [])

    let golden = try LogitsFile("\(source)/golden.safetensors")
    let tokens = try golden.file.view("tokens")
    let ids = (0..<24).map {
      tokens.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self).description
    }.joined(separator: ",")
    _ = try Program.run(
      "logits", source, "--tokens", ids, "--output", directory("l"), "--json"
    ).json()
    let expected = try golden.values("logits"), found = try LogitsFile(directory("l"))
    let largest = expected.reduce(0) { max($0, $1.magnitude) }
    #expect(
      zip(try found.values("logits"), expected).allSatisfy {
        ($0 - $1).magnitude <= 2e-5 * largest
      })

    let report = try Program.run("convert", source, directory("c"), "--window", "8").succeeded()
    #expect(report.error.contains("the public layout cannot hold"))
    let verified = try Program.run("verify", directory("c"), "--source", source, "--json").json()
    #expect(verified["passed"] == true)
    let checks = try #require(verified["checks"]?.array)
    #expect(checks.allSatisfy { $0["outcome"] == "passed" })
    // Its own layout knows what the public one does not.
    _ = try Program.run("export", directory("c"), directory("g"), "--profile", "gguf").succeeded()
    _ = try Program.run("verify", directory("g"), "--source", directory("c")).succeeded()
    for profile in ["vllm", "megatron-torch", "w8aspike"] {
      let refused = try Program.run("export", directory("c"), directory("x"), "--profile", profile)
      #expect(refused.code == 2 && refused.error.contains("cannot hold"), "\(refused)")
      #expect(!Files.exist(directory("x")))
    }
  }

  @Test func `a source with fused projections is exported as it is stored`() throws {
    let source = Repository.fixture("sources/phi3")
    _ = try Program.run("export", source, directory("e"), "--profile", "hf").succeeded()
    let before = try SafetensorsCheckpoint(path: source)
    let after = try SafetensorsCheckpoint(path: directory("e"))
    #expect(before.tensors.map(\.name).sorted() == after.tensors.map(\.name).sorted())
    for tensor in before.tensors {
      let (left, right) = (try before.view(tensor.name), try after.view(tensor.name))
      #expect(Array(left.bytes) == Array(right.bytes), "\(tensor.name)")
    }
    for profile in ["w8a8", "megatron-dist"] {
      let refused = try Program.run("export", source, directory("x"), "--profile", profile)
      #expect(refused.code == 2 && refused.error.contains("several in one tensor"), "\(refused)")
    }
  }

  @Test func `a random Phi-3 can be made and converted`() throws {
    let config = Repository.fixture("sources/phi3/config.json")
    _ = try Program.run("synthesize", config, directory("s"), "--seed", "3").succeeded()
    _ = try Program.run("convert", directory("s"), directory("c")).succeeded()
    _ = try Program.run("verify", directory("c"), "--source", directory("s")).succeeded()
  }
}
