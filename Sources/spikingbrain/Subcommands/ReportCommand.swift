import Architectures
import ArgumentParser
import Checkpoints
import Foundation
import ModelFiles
import Reporting
import StrictJSON
import TensorTypes

/// `report`: what is known of a checkpoint, as a page with figures.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Spikes, healing, experts, energy and cost of a checkpoint as one HTML page.",
    discussion: """
      The directory gets report.html, which needs nothing beside it, and each figure as an SVG file. \
      What a section needs and does not find is named in it. With --no-timing, equal inputs give equal \
      bytes.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Texts to run the model on.", valueName: "file"))
  var text: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Compare 2% winners of this layer's neurons with spikes as distributed representations; "
        + "needs --text.", valueName: "layer"))
  var sdr: Int?

  @Option(help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var output = "report"

  @Option(parsing: .unconditional, help: "Tokens of the texts to use.")
  var tokens = 2048

  @Option(parsing: .unconditional, help: "Tokens per segment of the texts.")
  var context = 512

  @Flag(help: "Do not measure speed.")
  var noTiming = false

  @Flag(help: "Replace an existing report.")
  var force = false

  private static let pageName = "report.html"

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    try checkNumbers()
    let subject = try ReportSubject(
      ckpt, text: text, tokens: tokens, context: context, limits: limits)
    if let sdr, !subject.model.layers.indices.contains(sdr) {
      throw InputError.option(
        "--sdr", value: "\(sdr)", expected: "a layer from 0 to \(subject.model.layers.count - 1)")
    }
    try checkPlace()
    let directory = try OutputDirectory(
      begin: output, fingerprint: [:], force: force, isResumable: false,
      inputs: subject.file.inputs + text)
    try directory.orAbandon {
      let parts = try parts(of: subject)
      let page = Page(
        "\(subject.name): report",
        introduction: """
          Written by spikingbrain \(ProgramVersion.current). “Report” with a section or figure number is \
          the SpikingBrain technical report, arXiv 2509.05276. Layers count from 0.
          """, parts.map(\.section))
      try write(page, about: subject, to: directory)
      report(parts, page)
    }
  }

  private func checkNumbers() throws {
    for (name, value) in [("--tokens", tokens), ("--context", context)] where value < 2 {
      throw InputError.option(name, value: "\(value)", expected: "at least 2")
    }
    if let sdr, text.isEmpty {
      throw InputError.option("--sdr", value: "\(sdr)", expected: "together with --text")
    }
  }

  /// A report replaces nothing but a report, and puts no files into a checkpoint.
  private func checkPlace() throws {
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

  private func parts(of subject: ReportSubject) throws -> [ReportPart] {
    let progress = Progress("reporting", quiet: reporting.quiet)
    defer { progress.finish() }
    func show(_ what: String, _ share: Double) {
      progress.update(share: share, detail: what)
    }
    return [
      subject.modelPart, subject.provenancePart, try subject.rasterPart(), subject.countPart,
      subject.layerPart, try subject.perplexityPart { show($0, 0.3) }, subject.energyPart,
      try subject.costPart(timed: !noTiming), subject.healingPart, try subject.expertPart(),
      try subject.representationPart(layer: sdr) { show("comparing codes", $0) },
    ]
  }

  private func write(
    _ page: Page, about subject: ReportSubject, to directory: OutputDirectory
  ) throws {
    try directory.write(Array(page.html.utf8), to: Self.pageName)
    for figure in page.figures {
      try directory.write(Array(figure.drawing.file.utf8), to: figure.name + ".svg")
    }
    let settings = [
      ("tokens", "\(tokens)"), ("context", "\(context)"), ("sdr", sdr.map { "\($0)" } ?? "none"),
    ]
    let manifest = Manifest(
      tool: .init(name: "spikingbrain", version: ProgramVersion.current),
      source: ["architecture": .string(subject.file.architecture.modelType)],
      recipe: [
        "step": "report",
        "settings": .object(JSONObject(strings: settings.map { (key: $0.0, value: $0.1) })),
      ], files: directory.finishedFiles, tensors: [])
    try directory.write(Array(manifest.json.pretty.utf8), to: Manifest.fileName)
    try directory.commit()
  }

  private func report(_ parts: [ReportPart], _ page: Page) {
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
    reporting.report(.object(json), text: lines.joined(separator: "\n\n"))
  }
}
