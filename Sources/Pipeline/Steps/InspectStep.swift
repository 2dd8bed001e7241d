import Architectures
import Archives
import Checkpoints
import Conversion
import Foundations
import Mixers
package import ModelFiles
public import StepSettings
package import StrictJSON
import TensorTypes
import Verification

/// `inspect`: what a checkpoint is and what can be done with it.
public struct InspectStep: CheckStep {
  public static let name = "inspect"
  public let settings: Settings<InspectKeys>

  public init(_ settings: Settings<InspectKeys>) { self.settings = settings }

  public func readsHeadersOnly(_ context: Context) -> Bool { settings.text == nil }

  public func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    if Archive.isArchive(path) { return Self.report(of: try Archive(path: path)) }
    let inspection = Inspection(try context.opened(path))
    var parts = [
      Report(
        json: inspection.json(tensors: settings.tensors),
        text: inspection.text(tensors: settings.tensors))
    ]
    if let text = settings.text {
      let load = try expertLoad(of: inspection.file, on: text, context)
      parts.append(Report(json: ["expert_load": load.json], text: load.text))
    }
    var report = Report(parts, separator: "\n\n")
    report.passed = inspection.file.problems.isEmpty
    return report
  }

  /// What is in an archive of `pack`.
  private static func report(of archive: Archive) -> Report {
    var table = Table()
    let index = archive.index
    let share = 100 * Double(archive.packedBytes) / Double(max(1, index.bytes))
    table.add("format", "archive of this program (`unpack` restores it)")
    table.add("files", "\(index.files.count), \(counted(index.tensors.count, "tensor"))")
    table.add(
      "bytes",
      "\(ByteSize(index.bytes)), packed \(ByteSize(archive.packedBytes)) (\(fixed(share, 1))%)")
    for file in index.files { table.add("", file.record.name, "\(ByteSize(file.record.bytes))") }
    return Report(
      json: [
        "format": "sbz", "files": .array(index.files.map { .string($0.record.name) }),
        "tensors": .int(index.tensors.count), "bytes": .int(index.bytes),
        "packed_bytes": .int(archive.packedBytes),
      ], text: table.text)
  }

  /// How the experts of the checkpoint are used on the file `text`.
  private func expertLoad(
    of file: ModelFile, on text: String, _ context: Context
  ) throws -> ExpertLoad {
    guard file.description.layers.contains(where: { $0.feedForward != .dense }) else {
      throw InputError.option(
        "--text", value: text, expected: "nothing: the checkpoint has no experts to load")
    }
    let input = try EvaluationInput(
      file.path, text: text, limit: settings.count, context)
    let progress = context.progress("reading", unit: .things("tokens"))
    defer { progress.finish() }
    return try ExpertLoad(of: input.model, on: input.tokens, context: settings.context) {
      progress.update(done: Int($0 * Double(input.tokens.count)), total: input.tokens.count)
    }
  }
}

/// What `inspect` says of a checkpoint.
package struct Inspection {
  let file: ModelFile
  /// Whether `convert` takes it with its usual settings, and what it becomes or why not.
  private let conversion: (isPossible: Bool, text: String)
  /// Its healings, a line each, and what spiking was found to cost.
  private let healings: [String]
  private let spiking: SpikingRecord?
  /// What is to be known of how it was read.
  private let notes: [String]

  package init(_ file: ModelFile) {
    self.file = file
    conversion = Self.conversion(of: file)
    var healings: [String] = [], spiking: SpikingRecord?, notes = file.notes
    do throws(CheckpointError) {
      notes += try file.history(.quick).news
      healings = try HealingSummary.lines(of: file)
      spiking = try SpikingRecord(of: file)
    } catch {
      notes.append("how it was made is not known: \(error)")
    }
    (self.healings, self.spiking, self.notes) = (healings, spiking, notes)
  }

  private var model: ModelDescription { file.description }

  /// Runs of equal layers: `0: gla, 1: window 4096, …` becomes one line per pattern.
  private func runs(of kinds: [String]) -> String {
    let distinct = kinds.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return distinct.map { kind in
      let layers = kinds.indices.filter { kinds[$0] == kind }
      return distinct.count == 1
        ? "\(layers.count) x \(kind)" : "\(layers.count) x \(kind) (\(ranges(layers)))"
    }.joined(separator: ", ")
  }

  /// Plans the conversion: only the plan finds all that is in its way.
  private static func conversion(of file: ModelFile) -> (isPossible: Bool, text: String) {
    guard file.architecture.isSource else { return (false, "already converted") }
    guard file.problems.isEmpty else { return (false, "its structure is not sound (see below)") }
    do {
      let plan = try ConversionPlan.make(from: file, settings: ConvertSettings())
      guard plan.description.modelType != GLASwa.modelType else {
        return (true, "to the public SpikingBrain-7B layout (gla_swa)")
      }
      let obstacles = GLASwa.obstacles(to: plan.description).joined(separator: ", ")
      return (true, "to the spikingbrain layout; the public one cannot hold \(obstacles)")
    } catch {
      return (false, "\(error)")
    }
  }

  /// What is known of the checkpoint, by name.
  package var facts: [(name: String, value: String)] {
    var facts = [
      (
        "format",
        "\(file.reader.formatName), \(counted(file.reader.files.count, "file")), "
          + "\(ByteSize(file.byteCount))"
      ),
      ("architecture", file.architecture.modelType),
      (
        "parameters",
        "\(count(model.parameterCount)) total, \(count(model.activeParameterCount)) active per token"
      ),
      (
        "types",
        file.types.map { "\($0.type.rawValue) \(ByteSize($0.bytes))" }.joined(separator: ", ")
      ),
      ("layers", runs(of: model.layers.map(\.mixer.text))),
    ]
    if model.layers.contains(where: { $0.feedForward != .dense }) {
      facts.append(("experts", runs(of: model.layers.map(\.feedForward.text))))
    }
    facts += [
      (
        "hidden",
        "\(model.hiddenSize), feed-forward \(model.feedForwardSize), vocabulary \(model.vocabularySize)"
          + (model.tiesEmbeddings ? " (tied)" : "")
      ),
      ("heads", "\(model.heads) query, \(model.keyValueHeads) key/value, d \(model.headDim)"),
      ("extras", extras),
    ]
    if let spiking = model.spiking { facts.append(("spiking", spiking.text)) }
    if let spiking { facts.append(("spiking measured", spiking.text)) }
    return facts
  }

  func text(tensors: Bool) -> String {
    var table = Table()
    for (name, value) in facts { table.add(name, value) }
    for line in healings { table.add("healed", line) }
    table.add("convertible", (conversion.isPossible ? "yes, " : "no: ") + conversion.text)
    var lines = table.lines
    if !file.ignored.isEmpty {
      lines.append(
        "\(counted(file.ignored.count, "tensor")) not needed: "
          + file.ignored.prefix(3).map(\.printable).joined(separator: ", ")
      )
    }
    for note in notes { lines.append("note: \(note)".printable) }
    for problem in file.problems {
      lines.append("problem: \(problem.text(hangingOn: file.keys(of: problem)))".printable)
    }
    if tensors {
      var list = Table()
      for tensor in file.stored.tensors {
        list.add(tensor.name, tensor.type.rawValue, "\(tensor.shape)")
      }
      lines += [""] + list.lines
    }
    return lines.joined(separator: "\n")
  }

  private var extras: String {
    var extras = ["rope theta \(fixed(model.rotary.theta, 0))"]
    switch model.rotary.scaling {
    // Told among the differences below.
    case .none, .yarn, .wavelengths: break
    case .linear(let factor): extras.append("rope scaling linear x\(factor)")
    case .llama3(let factor, _, _, _): extras.append("rope scaling llama3 x\(factor)")
    case .divisors: extras.append("rope scaling by stored factors")
    }
    if model.biases.queryKeyValue { extras.append("q/k/v biases") }
    if model.biases.output { extras.append("o bias") }
    if model.biases.feedForward { extras.append("MLP biases") }
    if model.hasQueryKeyNorm { extras.append("q/k norms") }
    extras += model.differences(from: model.plainDecoder)
    if let weights = model.quantization {
      extras.append("\(weights.codes.text) weights, \(weights.granularity.text)")
    }
    if file.form == .w8aspike { extras.append("weights rounded to INT8 scales when they are used") }
    if case .compressed(let scheme) = file.form, scheme.roundsActivations {
      extras.append("activations in INT8 where it is served, not here")
    }
    if model.sinkCount > 0 { extras.append(counted(model.sinkCount, "sink token")) }
    return extras.joined(separator: ", ")
  }

  package func json(tensors: Bool) -> JSONObject {
    var object = JSONObject([
      ("format", .string(file.reader.formatName)),
      ("files", .array(file.reader.files.map { .string($0) })),
      ("bytes", .int(file.byteCount)),
      ("architecture", .string(file.architecture.modelType)),
      ("parameters", .int(model.parameterCount)),
      ("active_parameters", .int(model.activeParameterCount)),
      ("types", .object(JSONObject(file.types.map { ($0.type.rawValue, .int($0.bytes)) }))),
      ("hidden_size", .int(model.hiddenSize)),
      ("intermediate_size", .int(model.feedForwardSize)),
      ("vocab_size", .int(model.vocabularySize)),
      ("heads", .int(model.heads)), ("key_value_heads", .int(model.keyValueHeads)),
      ("head_dim", .int(model.headDim)),
      ("layers", .array(model.layers.map { .string($0.mixer.text) })),
      ("feed_forward", .array(model.layers.map { .string($0.feedForward.text) })),
      ("sink_tokens", .int(model.sinkCount)),
      ("convertible", .bool(conversion.isPossible)),
      ("notes", .array(notes.map { .string($0) })),
      (
        "problems",
        .array(file.problems.map { .string($0.text(hangingOn: file.keys(of: $0))) })
      ),
      ("config", .object(file.configuration.object)),
    ])
    if tensors {
      object["tensors"] = .array(
        file.stored.tensors.map {
          [
            "name": .string($0.name), "dtype": .string($0.type.rawValue),
            "shape": .ints($0.shape.dimensions),
          ]
        })
    }
    return object
  }
}
