import Testing

@testable import StepSettings

/// What has to be given.
struct RequiredSettingsTests {
  private func missing<Keys>(_ settings: Settings<Keys>) -> String? {
    do throws(SettingError) {
      try settings.validate()
      return nil
    } catch {
      return error.what
    }
  }

  @Test func `is missed by name`() {
    #expect(missing(HealSettings()) == "--text is missing, expected at least one file")
    #expect(missing(CalibrateSettings()) == "--text is missing, expected at least one file")
    #expect(missing(EvaluateSettings()) == "--text is missing, expected a file, or --task FILE")
    #expect(missing(ExportSettings()) == "--profile is missing, expected the name of a profile")
    #expect(missing(ConvertSettings()) == nil)
  }

  @Test func `is no text in a manifest, which names none`() {
    #expect(throws: Never.self) { try HealSettings(fields: [:], file: "manifest.json") }
    #expect(throws: Never.self) { try CalibrateSettings(fields: [:], file: "manifest.json") }
  }

  @Test func `paths are known by their kind`() {
    func paths<Keys: SettingKeys>(_ keys: Keys.Type, _ kind: PathKind) -> [String] {
      keys.all.filter { $0.paths == kind }.map(\.name)
    }
    #expect(paths(HealKeys.self, .text) == ["text"])
    #expect(paths(VerifyKeys.self, .text) == ["text"])
    #expect(paths(EvaluateKeys.self, .text) == ["text"])
    #expect(paths(GenerateKeys.self, .file) == ["state", "save-state"])
    #expect(paths(ReportKeys.self, .file) == ["teacher"])
  }
}
