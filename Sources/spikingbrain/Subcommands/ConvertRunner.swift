import Checkpoints
import Communication
import Conversion
import Foundation
import Healing
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes

/// Plans and writes a conversion, for `convert` and for recipes.
///
/// With `auto:N` the layers are measured first. The plan then holds the list that was found, and
/// the measurement as a record: what reads the manifest later needs no text.
struct ConvertRunner {
  let settings: ConvertSettings
  let output: OutputOptions

  /// Converts the checkpoint `path` into the directory `out`; returns what to report.
  func run(_ path: String, to out: String) throws -> Report {
    let source = try ModelFile.open(path)
    if settings.layout == .intraLayer {
      return try IntraLayerRunner(settings: settings, output: output).run(source, to: out)
    }
    let runner = PlanRunner(output: output)
    guard case .auto(let count) = settings.attentionLayers else {
      let plan = try ConversionPlan.make(from: source, settings: settings)
      return try runner.run(plan, from: source.inputs, to: out)
    }
    // Whatever else is wrong is found before the measurement, and before anything is written.
    let choice = try LayerChoice(count, settings, of: source)
    let inputs = source.inputs + settings.text
    if output.dryRun {
      let selection = try World.ranks.first { try measureAside(choice, source) }
      return try runner.run(selection.plan(source, settings), from: inputs, to: out)
    }
    if output.resume,
      let recorded = try World.ranks.first({
        try OutputDirectory.finishInterrupted(out)
        return (try? Manifest(directory: out)).flatMap { choice.selection(in: $0) }
      })
    {
      return try runner.run(recorded.plan(source, settings), from: source.inputs, to: out)
    }
    let directory = try output.begin(out, fingerprint(choice, source))
    return try directory.orAbandon {
      let selection = try World.ranks.first {
        try measure(choice, source, in: directory.workspace())
      }
      return try runner.run(
        selection.plan(source, settings), from: inputs, to: out, into: directory)
    }
  }

  private func measure(
    _ choice: LayerChoice, _ source: ModelFile, in directory: String
  ) throws -> LayerChoice.Selection {
    let progress = Progress("measuring layers", quiet: output.reporting.quiet)
    defer { progress.finish() }
    let scores = try choice.ranking(source, directory: directory).scores { share in
      progress.update(share: share)
    }
    return choice.selection(scores)
  }

  /// Measures with the streams in a temporary directory.
  private func measureAside(
    _ choice: LayerChoice, _ source: ModelFile
  ) throws -> LayerChoice.Selection {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("spikingbrain-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try measure(choice, source, in: directory.path)
  }

  private func fingerprint(_ choice: LayerChoice, _ source: ModelFile) -> StepFingerprint {
    StepFingerprint(
      ["source": source.fingerprint, "text": Fingerprint.of(choice.tokens)],
      settings: settings.fields
        + [("tokens", "\(settings.tokens)"), ("context", "\(settings.context)")],
      files: source.inputs, texts: settings.text)
  }
}
