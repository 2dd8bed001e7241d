import Architectures
import TensorTypes
import TestSupport
import Testing

/// Each table of names parses what it prints.
struct NamesTests {
  @Test(arguments: TinyModel.allCases.map(\.rawValue) + ["gla_swa", "spikingbrain"])
  func `of directories parse what they print`(_ name: String) throws {
    let configuration = try TinyModel.configuration(name)
    let architecture = try Architectures.of(configuration)
    for requirement in try architecture.describe(configuration).requirements {
      let printed = try #require(architecture.names.name(of: requirement.address))
      #expect(architecture.names.match(printed) == .tensor(requirement.address), "\(printed)")
    }
  }

  @Test(arguments: TinyModel.allCases)
  func `of GGUF files cover every source`(_ model: TinyModel) throws {
    let configuration = try model.configuration()
    let description = try Architectures.of(configuration).describe(configuration)
    for requirement in description.requirements {
      let printed = try #require(GGUFNames.table.name(of: requirement.address))
      #expect(GGUFNames.table.match(printed) == .tensor(requirement.address), "\(printed)")
    }
  }

  @Test func `cached frequencies are known and ignored`() {
    #expect(Llama.names.match("model.layers.3.self_attn.rotary_emb.inv_freq") == .ignored)
    #expect(GLASwa.names.match("model.layers.3.attn.rotary.inv_freq") == .ignored)
  }

  @Test(arguments: [
    "model.layers.03.self_attn.q_proj.weight", "model.layers.-1.self_attn.q_proj.weight",
    "model.layers..self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight.x",
    "xmodel.norm.weight", "model.layers.1.self_attn.q_norm.weight",
    "model.layers.99999999999999999999.self_attn.q_proj.weight", "",
  ])
  func `anything else is unknown`(_ name: String) {
    #expect(Llama.names.match(name) == .unknown)
  }

  @Test func `every architecture has a type of its own`() {
    let types = Architectures.all.map { $0.modelType }
    #expect(Set(types).count == types.count)
    #expect(
      types == [
        "llama", "qwen2", "qwen3", "qwen3_moe", "mistral", "ministral", "ministral3", "mixtral",
        "phi3", "gemma2", "gemma3_text", "olmo2", "olmo3", "olmoe", "granite", "smollm3",
        "seed_oss",
        "minicpm", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text", "gla_swa", "spikingbrain",
      ])
    #expect(Architectures.all.filter { $0.isSource }.count == 21)
  }
}
