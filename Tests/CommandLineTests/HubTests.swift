import Checkpoints
import StrictJSON
import TestSupport
import Testing

/// Models by their names on a Hub, in the place of paths.
struct HubCommandTests {
  private let home: TemporaryDirectory
  private let hub: StandInHub
  private static let model = "hf:" + StandInHub.name

  init() throws {
    home = try TemporaryDirectory()
    hub = try StandInHub(directory: Repository.tinyQwen2)
  }

  private func run(_ arguments: String..., others: [String: String] = [:]) throws -> Program.Result
  {
    try Program.run(
      arguments, environment: hub.environment(home: home.path).merging(others) { $1 })
  }

  @Test func `looking needs headers only, and stores nothing`() throws {
    let near = try Program.run("inspect", Repository.tinyQwen2, "--json").json()
    let far = try run("inspect", Self.model, "--json").json()
    for key in ["parameters", "types", "layers", "config", "convertible", "notes", "bytes"] {
      #expect(far[key] == near[key], "\(key)")
    }
    let plan = try run("convert", Self.model, home("out"), "--dry-run")
    #expect(plan.code == 0, "\(plan)")
    #expect(plan.error.contains("only the headers"))
    #expect(!Files.exist(home("hub")) && !Files.exist(home("out")))
    let sizes = hub.ranges(of: "model.safetensors")
    #expect(!sizes.isEmpty && !sizes.contains(nil))
  }

  @Test func `a conversion is that of the directory, and says where it is from`() throws {
    let near = home("near"), far = home("far")
    #expect(try Program.run("convert", Repository.tinyQwen2, near).code == 0)
    let converted = try run("convert", Self.model, far)
    #expect(converted.code == 0, "\(converted)")
    for name in ["model.safetensors", "config.json"] {
      #expect(try Files.bytes("\(far)/\(name)") == Files.bytes("\(near)/\(name)"))
    }
    let manifest = try Manifest(directory: far)
    #expect(manifest.source["hub"]?.string == "\(Self.model)@\(StandInHub.commit)")
    let verified = try run("verify", far, "--source", Self.model, "--offline")
    #expect(verified.code == 0, "\(verified)")
    let other = try run("verify", far, "--source", Repository.tinyQwen2)
    #expect(other.code == 0, "\(other)")
  }

  @Test func `a GGUF file is chosen and looked at by its header`() throws {
    try TinyModel.llama.synthesize(to: home("hf"))
    let bytes = try GGUFModel(home("hf"), as: "llama", divisors: [1, 2, 3, 4, 5, 6, 7, 8]).writer
      .bytes
    let near = try home.write("near.gguf", bytes)
    let hub = try StandInHub(["one.gguf": bytes, "two.gguf": [1], "README.md": [2]])
    let environment = hub.environment(home: home.path)
    let none = try Program.run(["inspect", Self.model], environment: environment)
    none.refused(naming: "one.gguf, two.gguf", "\(Self.model):one.gguf")
    let name = "\(Self.model):one.gguf"
    let far = try Program.run(["inspect", name, "--json"], environment: environment).json()
    let expected = try Program.run("inspect", near, "--json").json()
    for key in ["parameters", "types", "layers", "config", "notes", "problems"] {
      #expect(far[key] == expected[key], "\(key)")
    }
    #expect(!Files.exist(home("hub")))
    let out = try Program.run(["convert", name, home("out")], environment: environment)
    out.succeeded()
    #expect(
      try Manifest(directory: home("out")).source["hub"]?.string
        == "\(Self.model)@\(StandInHub.commit):one.gguf")
  }

  @Test func `errors say what to do`() throws {
    let offline = try run("inspect", Self.model, "--offline")
    #expect(offline.code == 2)
    #expect(offline.error.contains("is not in the cache"))
    let name = try run("generate", "hf:one/two/three/../four", "--prompt", "a")
    #expect(name.code == 2)
    #expect(name.error.contains("hf:ORG/NAME"))
    let gone = try run("tokenize", "hf:tests/gone")
    #expect(gone.code == 2)
    #expect(gone.error.contains("no such model"))
  }

  @Test func `a recipe names its source so`() throws {
    let recipe = try home.write(
      "recipe.yaml",
      "source: \(Self.model)\noutput: \(home("built"))\nsteps:\n  - convert\n")
    let built = try run("build", recipe)
    #expect(built.code == 0, "\(built)")
    #expect(Files.exist(home("built/model.safetensors")))
  }
}
