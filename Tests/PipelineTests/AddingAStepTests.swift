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

@testable import Pipeline

/// A step that a stranger adds, as docs/extending.md shows it: its settings, and what it does.
struct CountKeys: SettingKeys {
  let unit = Setting("unit", 1, in: 1...1_000_000_000, "Parameters that are counted as one.")

  static let keys = CountKeys()
}

struct CountStep: CheckStep {
  static let name = "count"
  let settings: Settings<CountKeys>

  init(_ settings: Settings<CountKeys>) { self.settings = settings }

  func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    let count = try context.open(path).description.parameterCount / settings.unit
    return Report(json: ["count": .int(count)], text: "\(count) units of parameters")
  }
}

/// A step that writes a checkpoint: a stranger's too.
struct CastKeys: SettingKeys {
  let dtype = Setting("dtype", OutputType.bfloat16, "Element type of the output.")

  static let keys = CastKeys()
}

struct CastStep: CheckpointStep {
  static let name = "cast"
  let settings: Settings<CastKeys>

  init(_ settings: Settings<CastKeys>) { self.settings = settings }

  func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    let plan = try LayoutPlan.make(
      from: subject.dense(), dtype: settings.dtype,
      recipe: JSONObject(step: .init(rawValue: Self.name), settings: settings.fields),
      shardSize: ByteSize(5_000_000_000))
    let fingerprint = StepFingerprint(
      models: [("checkpoint", subject.file)], settings: settings.fields)
    return PreparedPlan(plan: plan, fingerprint: fingerprint)
  }
}

/// A step whose settings are paths of both kinds, and one that is none.
private struct PathKeys: SettingKeys {
  let table = Setting("table", "", "A table.").paths(of: .file)
  let note = Setting("note", "", "A remark.")
  let book = Setting("book", "", "A text.").paths(of: .text)
  let text = Setting.texts("Texts.")

  static let keys = PathKeys()
}

private struct PathStep: Step {
  static let name = "path"
  let settings: Settings<PathKeys>

  init(_ settings: Settings<PathKeys>) { self.settings = settings }
}

struct AddingAStepTests {
  private let steps = Steps.all + [CountStep.self]

  @Test func `it is a step of recipes`() throws {
    let directory = try TemporaryDirectory()
    let recipe = try Recipe(
      yaml: """
        steps:
          - convert: {window: 64}
          - count: {unit: 1000}
        """, file: directory("r.yaml"), steps: steps)
    var build = try Build(
      recipe, file: "r.yaml", source: Repository.tinyQwen2, output: directory("out"), Context())
    let report = try build.run()
    #expect(report.passed)
    let count = report.json["steps"]?.array?.last?["count"]?.int ?? 0
    #expect((1500...2500).contains(count))
  }

  @Test func `one that writes is a step of recipes`() throws {
    let directory = try TemporaryDirectory()
    let recipe = try Recipe(
      yaml: "steps: [{convert: {window: 64}}, {cast: {dtype: bfloat16}}]",
      file: directory("r.yaml"), steps: Steps.all + [CastStep.self])
    for isDryRun in [true, false] {
      var context = Context()
      context.isDryRun = isDryRun
      var build = try Build(
        recipe, file: "r.yaml", source: Repository.tinyQwen2, output: directory("out"), context)
      #expect(try build.run().passed)
      #expect(directory.names == (isDryRun ? [] : ["out"]))
    }
    let file = try ModelFile.open(directory("out"))
    #expect(file.types.map { $0.type } == [.bfloat16])
    #expect(try Manifest(directory: file.path).steps.map(\.name.rawValue) == ["convert", "cast"])
  }

  @Test func `paths start from the recipe's directory, whatever the setting is called`() throws {
    let recipe = try Recipe(
      yaml: """
        steps:
          - path: {table: t.csv, note: n, book: /b.txt, text: [a.txt, /c.txt]}
        """, file: "r/r.yaml", steps: [PathStep.self])
    let step = try #require(recipe.steps[0].resolvingPaths(recipe.path) as? PathStep)
    #expect(step.settings.table == "r/t.csv")
    #expect(step.settings.note == "n")
    #expect(step.settings.text == ["r/a.txt", "/c.txt"])
    #expect(step.texts == ["/b.txt", "r/a.txt", "/c.txt"])
  }

  @Test func `is run by a subcommand or the library: settings and limits are checked first`() throws
  {
    var settings = Settings<CountKeys>()
    try settings.set("unit", to: ["0"], at: .commandLine)
    let error = #expect(throws: SettingError.self) {
      try CountStep(settings).run(Repository.tinyQwen2, source: nil, Context())
    }
    #expect(error?.what == "--unit is 0, expected 1 to 1000000000")
    var context = Context()
    context.limits.memory = ByteSize(1)
    #expect(throws: LimitError.self) {
      try CountStep(Settings()).run(Repository.tinyQwen2, source: nil, context)
    }
    let report = try CountStep(Settings()).run(Repository.tinyQwen2, source: nil, Context())
    #expect(report.json["count"]?.int ?? 0 > 0)
  }

  @Test func `its settings are checked, with their place and the nearest key`() {
    for (line, words) in [
      ("unit: 0", "\"unit\" is 0, expected 1 to 1000000000"), ("unt: 5", "did you mean \"unit\""),
    ] {
      let error = #expect(throws: RecipeError.self) {
        try Recipe(yaml: "steps:\n  - count:\n      \(line)\n", file: "r.yaml", steps: steps)
      }
      #expect(error?.location == "r.yaml:3")
      #expect(error?.what.contains(words) == true, "\(error?.what ?? "")")
    }
  }
}
