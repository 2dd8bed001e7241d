import Conversion
import ModelFiles
import StepSettings
import TestSupport
import Testing

@testable import Pipeline

/// Steps on a checkpoint that is planned and not there, as in a dry run of a recipe.
struct PlannedSubjectTests {
  private let text = Repository.root + "/demo/war-and-peace-begin.txt"

  @Test func `what is computed from a checkpoint's bytes is not made from its plan`() throws {
    let source = try ModelFile.open(Repository.tinyQwen2)
    var convert = ConvertSettings()
    convert.window = 64
    let subject = Subject.planned(
      try ConversionPlan.make(from: source, settings: convert), origin: source)
    var heal = HealSettings()
    (heal.text, heal.tokens, heal.context) = ([text], 1024, 128)
    var calibrate = CalibrateSettings()
    (calibrate.text, calibrate.context) = ([text], 64)
    let context = Context()
    let steps = [
      try HealStep(heal).prepare(subject, teacher: Repository.tinyQwen2, context),
      try CalibrateStep(calibrate).prepare(subject, teacher: nil, context),
      try UpcycleStep(UpcycleSettings()).prepare(subject, teacher: nil, context),
    ]
    for step in steps {
      let error = #expect(throws: InputError.self) { try step.made(in: { "" }, context) }
      #expect(error?.what == InputError.notWritten.what)
    }
  }
}
