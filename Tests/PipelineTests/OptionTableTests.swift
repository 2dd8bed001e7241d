import StepSettings
import TestSupport
import Testing

@testable import Pipeline

/// The tables of settings in the documents, which follow from their declarations.
struct OptionTableTests {
  @Test func `docs/options.md shows every setting of every step`() throws {
    let head = """
      # Settings

      What every step may be told: on the command line as `--name value`, in a recipe as `name: value`.
      Manifests record them. This page is made from their declarations in `Sources/StepSettings/Keys`.

      """
    let tables = Steps.all.map { step in "\n## \(step.name)\n\n" + table(step) }
    try Snapshot("docs/options.md", isDocument: true).require(head + tables.joined())
  }

  private func table<Kind: Step>(_ step: Kind.Type) -> String {
    let rows = Kind.Keys.all.map { setting in
      let fallback = setting.shownDefault.map { $0.isEmpty ? "" : "`\($0)`" } ?? ""
      return "| `\(setting.name)` | \(setting.expected) | \(fallback) | \(setting.help) |\n"
    }
    return "| setting | values | default | |\n|---|---|---|---|\n" + rows.joined()
  }
}
