import Checkpoints
import Pipeline
import Reporting
import StrictJSON

extension ReportSubject {
  /// What the model is.
  var modelPart: ReportPart {
    let inspection = Inspection(file)
    return ReportPart(
      section: Section("model", "Model", [.facts(inspection.facts)]),
      json: .object(inspection.json(tensors: false)))
  }

  /// Where it comes from.
  var provenancePart: ReportPart {
    let title = "Provenance"
    guard !steps.isEmpty else {
      return .absent(
        "provenance", title,
        """
        No recorded steps: <code>convert</code>, <code>heal</code>, <code>upcycle</code> and \
        <code>calibrate</code> write a manifest of them.
        """)
    }
    let rows = steps.enumerated().map { index, step in
      [
        "\(index + 1)", step.name.rawValue,
        (step.settings ?? []).map { "\($0.key) \($0.value)" }.joined(separator: ", "),
      ]
    }
    let notes = steps.flatMap { step in
      step.notes.map { Section.Block.note("<b>\(step.name.rawValue):</b> \($0)") }
    }
    return ReportPart(
      section: Section(
        "provenance", title, [.table(Grid(["", "step", "settings"], rows: rows))] + notes),
      json: .array(
        steps.map { step in
          [
            "step": .string(step.name.rawValue),
            "settings": .object(JSONObject(strings: step.settings ?? [])),
            "notes": .array(step.notes.map { .string($0) }),
          ]
        }))
  }
}
