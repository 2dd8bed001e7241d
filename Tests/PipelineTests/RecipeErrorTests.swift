import InputFiles
import StepSettings
import TestSupport
import Testing

@testable import Pipeline

/// A wrong recipe is refused with its file, its line and what would be right.
struct RecipeErrorTests {
  /// A recipe with one fault.
  struct Fault: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var yaml: String
    var place: String
    var words: [String]

    init(_ name: String, _ yaml: String, at place: String, _ words: String...) {
      testDescription = name
      self.yaml = yaml
      self.place = place
      self.words = words
    }

    /// A wrong line among the settings of `convert`.
    init(convert line: String, _ words: String...) {
      testDescription = line
      yaml = "steps:\n  - convert:\n      dtype: keep\n      \(line)\n"
      place = "r.yaml:4"
      self.words = words
    }
  }

  @Test(arguments: [
    Fault("empty file", "", at: "r.yaml", "empty"),
    Fault("a comment only", "# nothing\n", at: "r.yaml", "empty"),
    Fault("no YAML", "steps: [", at: "r.yaml", "not valid YAML"),
    Fault("a list", "- convert", at: "r.yaml:1", "a recipe must be a mapping"),
    Fault("no steps", "source: a\n", at: "r.yaml:1", "\"steps\" is missing"),
    Fault(
      "empty steps", "source: a\nsteps: []\n", at: "r.yaml:2",
      "\"steps\" is empty, expected a list of steps"),
    Fault(
      "steps that are no list", "steps: convert\n", at: "r.yaml:1",
      "\"steps\" is no list, expected a list of steps"),
    Fault("a source that is a list", "source: [a]\nsteps: [convert]", at: "r.yaml:1", "source"),
    Fault(
      "a misspelt top-level key", "sorce: a\nsteps: [convert]", at: "r.yaml:1",
      "unknown key \"sorce\"", "did you mean \"source\""),
    Fault(
      "a misspelt step", "steps:\n  - convert\n  - verfy\n", at: "r.yaml:3",
      "unknown key \"verfy\"", "did you mean \"verify\""),
    Fault(
      "an unknown step", "steps:\n  - summarise\n", at: "r.yaml:2", "\"summarise\"",
      "valid keys: convert, heal, upcycle, calibrate, export, verify, evaluate"),
    Fault(
      "two steps in one mapping", "steps:\n  - convert:\n    verify:\n", at: "r.yaml:2",
      "a step", "mapping"),
    Fault(
      "settings that are a value", "steps:\n  - convert: odd\n", at: "r.yaml:2",
      "the settings of convert must be a mapping"),
    Fault(
      "clusters without a text", "steps:\n  - upcycle:\n      router: clustered\n", at: "r.yaml:3",
      "\"text\" is missing", "router clustered"),
    Fault(
      "a text that nothing reads", "steps:\n  - upcycle:\n      text: a\n", at: "r.yaml:3",
      "\"text\" is a", "only router clustered"),
    Fault(
      "evaluate without a text", "steps:\n  - evaluate:\n      context: 5\n", at: "r.yaml:3",
      "\"text\" is missing"),
    Fault(
      "a context of 1", "steps:\n  - evaluate:\n      text: a\n      context: 1\n",
      at: "r.yaml:4", "\"context\" is 1", "at least 2"),
    Fault(
      "one token", "steps:\n  - evaluate:\n      text: a\n      tokens: 1\n", at: "r.yaml:4",
      "\"tokens\" is 1", "at least 2"),
    Fault(
      "an unknown level", "steps:\n  - verify:\n      level: deep\n", at: "r.yaml:3",
      "\"level\" is deep", "structure, hashes, values, logits or quality"),
    Fault(convert: "windw: 512", "unknown key \"windw\"", "did you mean \"window\""),
    Fault(convert: "colour: red", "unknown key \"colour\"", "valid keys: layout"),
    Fault(convert: "layout: intra", "\"layout\" is intra", "inter-layer"),
    Fault(convert: "attention-layers: even", "\"attention-layers\" is even", "odd, none"),
    Fault(convert: "attention-layers: [1, -2]", "\"attention-layers\" is 1,-2"),
    Fault(convert: "attention-layers: {a: 1}", "\"attention-layers\" is a mapping"),
    Fault(convert: "full-attention-layers: 3-1", "\"full-attention-layers\" is 3-1"),
    Fault(convert: "full-attention-layers: auto:3", "\"full-attention-layers\" is auto:3"),
    Fault(convert: "attention-layers: auto:x", "\"attention-layers\" is auto:x", "auto:N"),
    Fault(convert: "text: a.txt", "\"text\" is a.txt", "auto:N"),
    Fault(convert: "context: 1", "\"context\" is 1", "2 to"),
    Fault(convert: "tokens: 0", "\"tokens\" is 0"),
    Fault(
      "auto without a text", "steps:\n  - convert:\n      attention-layers: auto:3\n",
      at: "r.yaml:3", "\"text\" is missing", "at least one file", "auto:3"),
    Fault(convert: "window: 0", "\"window\" is 0", "1 to 268435456"),
    Fault(convert: "window: -4", "\"window\" is -4", "1 to 268435456"),
    Fault(convert: "window: 4k", "\"window\" is 4k", "1 to 268435456"),
    Fault(convert: "window-rule: w+1", "\"window-rule\" is w+1", "report or flash"),
    Fault(convert: "gate-bias: .inf", "\"gate-bias\" is .inf", "-1000 to 1000"),
    Fault(convert: "gate-bias: inf", "\"gate-bias\" is inf", "-1000 to 1000"),
    Fault(convert: "shard-size: 0", "\"shard-size\" is 0", "a size like 5GB"),
    Fault(convert: "shard-size: big", "\"shard-size\" is big", "a size like 5GB"),
    Fault(convert: "seed: -1", "\"seed\" is -1", "a whole number"),
  ])
  func `is refused with its place`(_ fault: Fault) throws {
    var caught: RecipeError?
    do throws(RecipeError) {
      _ = try Recipe(yaml: fault.yaml, file: "r.yaml")
    } catch {
      caught = error
    }
    let error = try #require(caught, "nothing was refused")
    #expect(error.location == fault.place)
    for word in fault.words { #expect(error.what.contains(word), "\(error.what)") }
  }

  @Test func `dtype must be one that is written`() {
    #expect(throws: RecipeError.self) {
      try Recipe(yaml: "steps: [{convert: {dtype: int8}}]", file: "r.yaml")
    }
  }

  @Test func `a key given twice is refused`() {
    #expect(throws: RecipeError.self) {
      try Recipe(yaml: "steps: [convert]\nsteps: [verify]\n", file: "r.yaml")
    }
  }

  @Test func `a file that is missing or no text is refused`() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: RecipeError.unreadable(.missing(file: directory("r.yaml")))) {
      try Recipe(path: directory("r.yaml"))
    }
    let binary = try directory.write("b.yaml", [0x73, 0xff, 0xfe])
    #expect(
      throws: RecipeError.unreadable(
        .notText(file: binary, offset: 1, byte: 0xff, encoding: "LATIN1"))
    ) { try Recipe(path: binary) }
  }

  @Test(.timeLimit(.minutes(1)))
  func `what would take minutes or never end is refused`() throws {
    #expect(throws: RecipeError.unreadable(.notRegular(file: "/dev/zero", type: "a device"))) {
      try Recipe(path: "/dev/zero")
    }
    // Eleven aliases of nine each, as a key.
    var yaml = "a0: &a0 [x, x]\n"
    for level in 1..<12 {
      let list = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      yaml += "a\(level): &a\(level) [\(list)]\n"
    }
    #expect(throws: RecipeError.self) {
      try Recipe(yaml: yaml + "? *a11\n: x\nsteps: [verify]\n", file: "r.yaml")
    }
  }

  @Test func `a recipe may name a list once and use it in several steps`() throws {
    let recipe = try Recipe(
      yaml: """
        steps:
          - heal: {text: &books [a.txt, "**.txt"]}
          - calibrate: {text: *books}
        """, file: "r.yaml")
    let step = try #require(recipe.steps[1] as? CalibrateStep)
    #expect(step.settings.text == ["a.txt", "**.txt"])
  }
}
