import Architectures
import Checkpoints
import Foundation
import ModelFiles
public import Pipeline
import Reporting
public import StepSettings
import StrictJSON

/// `report`: what is known of a checkpoint, as a page with figures.
public struct ReportStep: Step {
  public static let name = "report"
  public let settings: Settings<ReportKeys>

  public init(_ settings: Settings<ReportKeys>) { self.settings = settings }

  private static let pageName = "report.html"

  /// Writes the page about the checkpoint `path` to the directory `output`.
  public func run(_ path: String, to output: String, _ context: Context) throws -> Report {
    try begin(context)
    let subject = try ReportSubject(context.local(path), settings, context)
    if let sdr = settings.sdr, !subject.model.layers.indices.contains(sdr) {
      throw InputError.option(
        "--sdr", value: "\(sdr)", expected: "a layer from 0 to \(subject.model.layers.count - 1)")
    }
    try checkPlace(output, force: context.mode.force)
    let directory = try OutputDirectory(
      begin: output, fingerprint: [:], force: context.mode.force, isResumable: false,
      inputs: subject.file.inputs + settings.text)
    return try directory.orAbandon {
      let parts = try parts(of: subject, context)
      let page = Page(
        "\(subject.name): report",
        introduction: """
          Written by spikingbrain \(ProgramVersion.current). “Report” with a section or figure number is \
          the SpikingBrain technical report, arXiv 2509.05276. Layers count from 0.
          """, parts.map(\.section))
      try write(page, about: subject, to: directory)
      return report(parts, page, output)
    }
  }

  /// A report replaces nothing but a report, and puts no files into a checkpoint.
  private func checkPlace(_ output: String, force: Bool) throws {
    let place = URL(fileURLWithPath: output)
    func holds(_ directory: URL, _ name: String) -> Bool {
      FileManager.default.fileExists(atPath: directory.appendingPathComponent(name).path)
    }
    if force, holds(place, Manifest.fileName), !holds(place, Self.pageName) {
      throw CheckpointError.outputNotReplaceable(path: output, reason: "it is not a report")
    }
    if holds(place.deletingLastPathComponent(), Manifest.fileName) {
      throw InputError.option("--output", value: output, expected: "a place outside checkpoints")
    }
  }

  private func parts(of subject: ReportSubject, _ context: Context) throws -> [ReportPart] {
    let progress = context.progress("reporting")
    defer { progress.finish() }
    func show(_ what: String, _ share: Double) {
      progress.update(share: share, detail: what)
    }
    return [
      subject.modelPart, subject.provenancePart, try subject.rasterPart(), subject.countPart,
      subject.layerPart, try subject.textPart { show($0, 0.1) },
      try subject.perplexityPart { show($0, 0.3) }, subject.energyPart,
      try subject.costPart(timed: !settings.noTiming), subject.healingPart,
      try subject.expertPart(),
      try subject.representationPart(layer: settings.sdr) { show("comparing codes", $0) },
    ]
  }

  private func write(
    _ page: Page, about subject: ReportSubject, to directory: OutputDirectory
  ) throws {
    try directory.write(Array(page.html.utf8), to: Self.pageName)
    for figure in page.figures {
      try directory.write(Array(figure.drawing.file.utf8), to: figure.name + ".svg")
    }
    let manifest = Manifest(
      tool: .init(name: "spikingbrain", version: ProgramVersion.current),
      source: ["architecture": .string(subject.file.architecture.modelType)],
      recipe: [
        "step": .string(Self.name),
        "settings": .object(JSONObject(strings: settings.fields)),
      ], files: directory.finishedFiles, tensors: [])
    try directory.write(Array(manifest.json.pretty.utf8), to: Manifest.fileName)
    try directory.commit()
  }

  private func report(_ parts: [ReportPart], _ page: Page, _ output: String) -> Report {
    var json = JSONObject([
      ("output", .string(output)),
      ("figures", .array(page.figures.map { .string($0.name + ".svg") })),
    ])
    for part in parts { json[part.section.id] = part.json }
    let absent = parts.filter(\.json.isNull).map(\.section.title)
    let lines =
      parts.compactMap(\.text) + [
        "wrote \(output): report.html and \(page.figures.count) figures"
      ] + (absent.isEmpty ? [] : ["without data: \(absent.joined(separator: ", "))"])
    return Report(json: json, text: lines.joined(separator: "\n\n"))
  }
}
