import Architectures
import Foundations
import Mixers
import StepSettings
import TestSupport
import Testing

@testable import Pipeline

/// What a recipe may say, and what it then means.
struct RecipeReadingTests {
  /// The settings of the step at `index`; nil when it is another step.
  private func settings<Kind: Step>(
    _ recipe: Recipe, _ index: Int, _ kind: Kind.Type
  ) -> Settings<Kind.Keys>? {
    (recipe.steps[index] as? Kind)?.settings
  }

  @Test func `every key of every step is read`() throws {
    let recipe = try Recipe(
      yaml: """
        source: models/base
        output: models/converted
        steps:
          - convert:
              layout: inter-layer
              attention-layers: [1, 3, 8-10]
              full-attention-layers: 5
              window: 512
              window-rule: flash
              gate-bias: 1.5
              dtype: float32
              shard-size: 2GB
              seed: 18446744073709551615
          - verify: {level: values}
          - evaluate:
              text: book.txt
              context: 256
              tokens: 4096
        """, file: "recipes/mine.yaml")
    var convert = ConvertSettings()
    convert.attentionLayers = .list([1, 3, 8, 9, 10])
    convert.fullAttentionLayers = .list([5])
    convert.window = 512
    convert.windowRule = .flash
    convert.gateBias = 1.5
    convert.dtype = .float32
    convert.shardSize = ByteSize(2_000_000_000)
    convert.seed = .max
    var verify = VerifySettings()
    verify.level = .values
    var evaluate = EvaluateSettings()
    evaluate.text = "book.txt"
    evaluate.context = 256
    evaluate.tokens = 4096
    #expect(recipe.steps.count == 3)
    #expect(settings(recipe, 0, ConvertStep.self) == convert)
    #expect(settings(recipe, 1, VerifyStep.self) == verify)
    #expect(settings(recipe, 2, EvaluateStep.self) == evaluate)
    #expect(recipe.source == "models/base")
    #expect(recipe.output == "models/converted")
    #expect(recipe.directory == "recipes")
  }

  @Test func `a step may be its name alone, or have no settings`() throws {
    let recipe = try Recipe(yaml: "steps: [convert, verify, {verify: }]", file: "r.yaml")
    #expect(recipe.steps.count == 3)
    #expect(settings(recipe, 0, ConvertStep.self) == ConvertSettings())
    for step in 1...2 { #expect(settings(recipe, step, VerifyStep.self) == VerifySettings()) }
    #expect(recipe.source == nil)
    #expect(recipe.output == nil)
    #expect(recipe.directory == "")
  }

  @Test func `the defaults are the public 7B layout`() {
    let settings = ConvertSettings()
    #expect(settings.attentionLayers == .odd)
    #expect(settings.fullAttentionLayers == nil)
    #expect(settings.window == 4096)
    #expect(settings.windowRule == .report)
    #expect(settings.gateBias == 0)
    #expect(settings.dtype == .keep)
    #expect(settings.shardSize == ByteSize(5_000_000_000))
    #expect(VerifySettings().level == .logits)
    #expect(EvaluateSettings().context == 1024)
  }

  @Test(arguments: [
    "demo.yaml", "spikingbrain-7b.yaml", "demo-experts.yaml", "spikingbrain-76b.yaml",
  ])
  func `the shipped recipes are read`(_ name: String) throws {
    let recipe = try Recipe(path: Repository.root + "/recipes/" + name)
    #expect(settings(recipe, 0, ConvertStep.self)?.attentionLayers == .odd)
    #expect(recipe.steps.contains { ($0 as? VerifyStep)?.settings == VerifySettings() })
  }

  @Test func `levels are ordered from shallow to deep`() {
    #expect(VerificationLevel.allCases == VerificationLevel.allCases.sorted())
    #expect(VerificationLevel.structure < .quality)
  }
}
