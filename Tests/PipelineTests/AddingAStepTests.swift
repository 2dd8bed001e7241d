import Architectures
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
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
