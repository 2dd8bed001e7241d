import Architectures
import Checkpoints
import Conversion
import Foundation
import Foundations
import Mixers
import ModelFiles
import StrictJSON
import TensorTypes

/// The README.md of an export: what the model is, where it comes from, what was measured of it, and how it
/// is loaded.
struct ModelCard {
  let file: ModelFile
  let contents: ExportContents
  let profile: any ExportProfile.Type
  let notes: [String]
  /// The names of the files beside the tensors.
  let companions: [String]

  static let fileName = "README.md"

  private var model: ModelDescription { contents.description }

  /// Whether it is more than its source in another form.
  private var isConverted: Bool {
    [GLASwa.modelType, SpikingBrainLayout.modelType].contains(model.modelType)
  }

  /// The card; the same for the same model.
  func text() throws -> String {
    let steps = try file.history().steps
    var parts = [header, introduction]
    if !steps.isEmpty { parts.append(made(steps)) }
    // What steps said of our layouts is no matter of a source's form.
    let isHealed = steps.contains { $0.name == .heal }
    let said = steps.flatMap(\.notes).filter { !isHealed || !$0.hasPrefix(ConversionPlan.copies) }
    let differences = (isConverted ? said : []) + notes
    if !differences.isEmpty {
      parts.append(
        "## What to know\n\n" + differences.map { "- \(Self.line($0))" }.joined(separator: "\n"))
    }
    let figures = steps.flatMap(Self.figures)
    if !figures.isEmpty {
      parts.append(
        "## Measured\n\n| step | what | value |\n|---|---|---|\n" + figures.joined(separator: "\n"))
    }
    parts.append("## Loading\n\n" + (contents.loading ?? "By \(profile.loader)."))
    parts.append("## Licence\n\n" + licence)
    return parts.joined(separator: "\n\n") + "\n"
  }

  private var header: String {
    let library = profile == HuggingFaceProfile.self ? ["library_name: transformers"] : []
    let tags = isConverted ? ["tags:", "- spikingbrain", "- linear-attention"] : []
    return (["---"] + library + tags + ["pipeline_tag: text-generation", "---"])
      .joined(separator: "\n")
  }

  private var introduction: String {
    let kinds = Dictionary(grouping: model.layers) { $0.mixer.text }.map {
      ($0.value.count, $0.key)
    }
    .sorted { ($1.0, $0.1) < ($0.0, $1.1) }
    let layers = kinds.map { "\($0.0) x \($0.1)" }.joined(separator: ", ")
    let experts = model.layers.count { $0.feedForward.experts != nil }
    var facts = [
      "\(model.parameterCount) parameters, \(counted(model.layers.count, "layer")): \(layers)"
    ]
    if experts > 0 { facts.append("\(counted(experts, "layer")) of experts") }
    if let weights = model.quantization { facts.append("projections in \(weights.text)") }
    if model.spiking != nil { facts.append("spiking activations") }
    return """
      # \(isConverted ? "A SpikingBrain model" : "A \(model.modelType) model")

      Written by `spikingbrain export --profile \(profile.name)`, for \(profile.loader). \(facts.joined(separator: "; ")).
      """
  }

  private func made(_ steps: [StepRecord]) -> String {
    let rows = steps.map { step in
      let settings = (step.settings ?? []).map { "\($0.key) \($0.value)" }.joined(separator: ", ")
      return "| \(step.name.rawValue) | \(Self.line(step.change ?? settings)) |"
    }
    return "## How it was made\n\n| step | settings |\n|---|---|\n" + rows.joined(separator: "\n")
  }

  /// The numbers that a step recorded of the whole model, as rows.
  private static func figures(_ step: StepRecord) -> [String] {
    let places: [(String, [String])] = [
      ("held-out divergence before the second stage, nats", ["distillation", "before"]),
      ("held-out divergence after it, nats", ["distillation", "after"]),
      ("KL of the refitted experts, nats", ["fit", "kl_after"]),
      ("perplexity, not spiked", ["measured", "perplexity_unspiked"]),
      ("perplexity, spiked", ["measured", "perplexity_spiked"]),
      ("KL of spiking, nats", ["measured", "kl"]),
      ("spikes per channel", ["measured", "spikes_per_channel"]),
      ("of the bfloat16 bytes of the projections", ["int8", "of_bfloat16"]),
      ("of the bfloat16 bytes of the projections", ["int4", "of_bfloat16"]),
    ]
    return places.compactMap { name, path in
      var value: JSONValue? = step.json
      for key in path { value = value?[key] }
      guard let number = value?.double, number.isFinite else { return nil }
      return "| \(step.name.rawValue) | \(name) | \(fixed(number, 4)) |"
    }
  }

  private var licence: String {
    let names = companions.filter(TokenizerSource.isNotice)
    return names.isEmpty
      ? "The source names none here: what its publisher says of it holds for this model too."
      : "That of the source, in \(names.joined(separator: ", "))."
  }

  /// Text of others on one line of Markdown, in a table too.
  private static func line(_ text: String) -> String {
    text.printable.replacingOccurrences(of: "|", with: "\\|")
  }
}
