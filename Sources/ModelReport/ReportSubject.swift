import Architectures
import Checkpoints
import Foundation
import ModelFiles
import Pipeline
import Reporting
import Runtime
import Spiking
import StepSettings
import StrictJSON

/// What a report is about: a checkpoint, what was recorded of it, and a text to run it on.
struct ReportSubject {
  let file: ModelFile
  /// How it was made, the earliest step first.
  let steps: [StepRecord]
  /// What `calibrate` measured; nil when the checkpoint has no calibration.h5.
  let calibration: CalibrationRecord?
  /// The text's first tokens; empty without a text.
  let tokens: [Int]
  /// Tokens of a segment, which is read from an empty state.
  let context: Int
  let limits: Limits
  /// The model to compare predictions with; nil for none.
  private let source: RunnableModel?

  init(_ path: String, _ settings: Settings<ReportKeys>, _ run: Context) throws {
    file = try run.open(path, isLast: settings.teacher == nil)
    try file.requireSound()
    steps = try file.history(.quick).steps
    let measured = file.path + "/" + CalibrationFile.name
    calibration =
      FileManager.default.fileExists(atPath: measured)
      ? try CalibrationRecord(measured, of: file.description) : nil
    tokens =
      settings.text.isEmpty ? [] : try file.tokens(of: settings.text, limit: settings.count)
    context = settings.context
    limits = run.limits
    let model = file
    source = try settings.teacher.map { try RunnableModel(teacher: $0, of: model, run) }
    if let first = settings.text.first, self.tokens.count < 2 {
      throw InputError.textTooShort(file: first, tokens: self.tokens.count, needed: 2)
    }
  }

  /// The checkpoint's name without its place.
  var name: String { checkpointName(file.path) }

  var model: ModelDescription { file.description }

  /// The checkpoint ready to run, spiked by other settings if given.
  func runnable(
    spiking: SpikingSettings?? = nil, observer: (any SpikingObserver)? = nil
  ) throws -> Model {
    var description = file.description
    if let spiking { description.spiking = spiking }
    return try Model(
      description, weights: file, residency: limits.residency(forWeights: file.byteCount),
      observer: observer)
  }

  /// The model to compare predictions with; nil for none.
  var teacher: Model? { source?.model }

  /// Which part of the text was read, and how.
  var textWords: String { "the first \(tokens.count) tokens of the text, \(context) at a time" }
}

/// A section of the page with the same facts for programs.
struct ReportPart {
  var section: Section
  /// Null when there was nothing to report.
  var json: JSONValue
  /// The facts for a terminal, where a table is worth printing.
  var text: String?

  /// A section without data: `reason` says what provides it.
  static func absent(_ id: String, _ title: String, _ reason: Markup) -> ReportPart {
    ReportPart(section: Section(id, title, [.note(reason)]), json: .null)
  }
}
