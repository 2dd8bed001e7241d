import Architectures
import Foundations
import Kernels
import ModelFiles
import Runtime
public import StepSettings
import StrictJSON
import TensorTypes
import Verification

/// `diff`: how two checkpoints differ, in their configurations, their tensors, and what they predict.
///
/// Tensors are compared as the model's own, whatever the two formats call them.
public struct DiffStep: Step {
  public static let name = "diff"
  public let settings: Settings<DiffKeys>

  public init(_ settings: Settings<DiffKeys>) { self.settings = settings }

  /// Compares the checkpoints `a` and `b`; passes when they differ by no more than the tolerance.
  public func run(_ a: String, _ b: String, _ context: Context) throws -> Report {
    try begin(context)
    let a = try context.local(a), b = try context.local(b)
    let first = try context.open(a, isLast: false)
    let files = (a: first, b: try context.open(b, after: first))
    try files.a.requireSound()
    try files.b.requireSound()
    let keys = ConfigurationDifference.all(files.a.configuration, files.b.configuration)
    var tensors = try compareTensors(files.a, files.b, context)
    let logits = try tokens(files.a).map { try LogitsDistance(a, b, tokens: $0, context) }
    let tolerance = settings.tolerance
    // Of the greatest first: it is what a reader looks for.
    tensors.differing.sort { $0.relative > $1.relative }
    let within = tolerance > 0 ? " \(scientific(tolerance))" : ""
    let by = within.isEmpty ? "" : " by more than\(within)"
    // In what they differ.
    let differences = [
      keys.contains(where: \.matters) ? "in their configurations" : nil,
      tensors.onlyA.isEmpty && tensors.onlyB.isEmpty ? nil : "in what tensors they have",
      tensors.differing.contains { $0.relative > tolerance } ? "in tensors\(by)" : nil,
      logits?.relative ?? 0 > tolerance ? "in predictions\(by)" : nil,
    ].compactMap(\.self)
    var report = Report([
      Self.report(keys), Self.report(tensors, all: settings.tensors),
      logits?.report ?? Report(json: [:], text: ""),
      Report(
        json: ["tolerance": .double(tolerance), "equal": .bool(differences.isEmpty)],
        text: differences.isEmpty
          ? "they agree" + (within.isEmpty ? "" : " within\(within)")
          : "they differ: \(differences.joined(separator: ", "))"),
    ])
    report.passed = differences.isEmpty
    return report
  }

  /// The tokens to compare predictions on; nil for none.
  private func tokens(_ file: ModelFile) throws -> [Int]? {
    if !settings.tokens.isEmpty {
      return try InputError.numbers(in: settings.tokens, option: "--tokens")
    }
    guard let text = settings.text else { return nil }
    let tokens = try file.tokens(of: [text], limit: settings.count)
    guard !tokens.isEmpty else {
      throw InputError.textTooShort(file: text, tokens: 0, needed: 1)
    }
    return tokens
  }

  /// Tensors of two models.
  struct TensorDifferences {
    var onlyA: [String] = [], onlyB: [String] = []
    var sameBytes = 0, sameValues = 0, sameAfterCast = 0
    var differing: [TensorDistance] = []
  }

  private func compareTensors(
    _ a: ModelFile, _ b: ModelFile, _ context: Context
  ) throws -> TensorDifferences {
    var found = TensorDifferences()
    let addresses = a.description.requirements.map(\.address)
    let ofB = Set(b.description.requirements.map(\.address))
    let ofA = Set(addresses)
    let progress = context.progress("comparing", unit: .things("tensors"))
    defer { progress.finish() }
    for (index, address) in addresses.enumerated() {
      progress.update(done: index, total: addresses.count)
      guard ofB.contains(address) else {
        found.onlyA.append("\(address)")
        continue
      }
      let views = (try a.view(address), try b.view(address))
      let distance = TensorDistance("\(address)", views.0, views.1)
      views.0.discard()
      views.1.discard()
      switch distance.kind {
      case .sameBytes: found.sameBytes += 1
      case .sameValues: found.sameValues += 1
      case .sameAfterCast:
        found.sameAfterCast += 1
        found.differing.append(distance)
      case .different: found.differing.append(distance)
      }
    }
    found.onlyB = b.description.requirements.map(\.address).filter { !ofA.contains($0) }
      .map { "\($0)" }
    return found
  }
}

/// A key of two configurations with different values.
struct ConfigurationDifference {
  let key: String
  /// The values; nil where the key is absent.
  let a: JSONValue?
  let b: JSONValue?

  /// Keys that say how a model is stored or by what it was written, not what it computes.
  private static let notes: Set = [
    "torch_dtype", "dtype", "transformers_version", "_name_or_path", "name_or_path", "use_cache",
    "auto_map",
  ]

  /// Whether what is computed may follow from it.
  var matters: Bool { !Self.notes.contains(key) }

  /// All keys whose values differ; those of nested objects with a dot between.
  static func all(_ a: Configuration, _ b: Configuration) -> [ConfigurationDifference] {
    all(.object(a.object), .object(b.object), prefix: "")
  }

  private static func all(
    _ a: JSONValue, _ b: JSONValue, prefix: String
  ) -> [ConfigurationDifference] {
    var keys = a.object?.keys ?? []
    let known = Set(keys)
    keys += (b.object?.keys ?? []).filter { !known.contains($0) }
    return keys.flatMap { key -> [ConfigurationDifference] in
      let values = (a[key], b[key]), name = prefix + key
      guard !isSame(values.0, values.1) else { return [] }
      if let a = values.0, let b = values.1, a.object != nil, b.object != nil {
        return all(a, b, prefix: name + ".")
      }
      return [ConfigurationDifference(key: name, a: values.0, b: values.1)]
    }
  }

  /// Whether two values are one: numbers are, however they are written, and null says as much as
  /// nothing.
  private static func isSame(_ a: JSONValue?, _ b: JSONValue?) -> Bool {
    if let a = a?.double, let b = b?.double { return a == b }
    return (a ?? .null) == (b ?? .null)
  }
}
