public import StrictJSON

/// What a manifest records of one step, and in it of those before.
public struct StepRecord: Sendable, Equatable {
  /// Which step. The set is open: a step that is added names itself.
  public struct Name: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    public let rawValue: String

    /// The step that recipes and manifests call `rawValue`.
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
  }

  /// Which step it was.
  public let name: Name
  /// All that was recorded.
  public let json: JSONValue

  /// The step recorded in `json`; nil when that names none.
  public init?(_ json: JSONValue?) {
    guard let json, let name = json[Self.nameKey]?.string else { return nil }
    self.name = Name(rawValue: name)
    self.json = json
  }

  /// Its settings in their order; nil when none were recorded.
  public var settings: [(key: String, value: String)]? {
    json[Self.settingsKey]?.object?.members.map { ($0.key, $0.value.string ?? $0.value.compact) }
  }

  /// The value of one of its settings; nil when there is none.
  public func setting(_ key: String) -> String? { json[Self.settingsKey]?[key]?.string }

  /// What it had to say.
  public var notes: [String] { (json["notes"]?.array ?? []).compactMap(\.string) }

  /// Patterns of the tensors that were left out of what it read.
  public var ignoredTensors: [String] {
    (json[Self.ignoredTensorsKey]?.array ?? []).compactMap(\.string)
  }

  /// The step before; nil for the first.
  public var before: StepRecord? { StepRecord(json[Self.beforeKey]) }

  /// What it found, under `key`; nil when it recorded nothing of the kind.
  public func found<Record: Decodable>(_ key: String, _ type: Record.Type) -> Record? {
    json[key]?.record(type)
  }

  /// The key of the patterns of tensors that were left out.
  public static let ignoredTensorsKey = "ignored_tensors"

  fileprivate static let nameKey = "step", settingsKey = "settings", beforeKey = "of"
}

extension StepRecord.Name {
  /// The steps of this program that write checkpoints.
  public static let convert: Self = "convert", heal: Self = "heal", upcycle: Self = "upcycle"
  public static let calibrate: Self = "calibrate", export: Self = "export"
  public static let synthesize: Self = "synthesize"
  /// What another program did: a training, a merge, an editor.
  public static let outside: Self = "outside"
}

extension JSONObject {
  /// The record of a step with its settings, if it has any.
  ///
  /// - Parameter before: that of the step before, null for the first; nil to leave it out.
  public init(
    step: StepRecord.Name, settings: [(key: String, value: String)]? = nil,
    before: JSONValue? = nil
  ) {
    self.init([(StepRecord.nameKey, .string(step.rawValue))])
    self[StepRecord.settingsKey] = settings.map { .object(JSONObject(strings: $0)) }
    self[StepRecord.beforeKey] = before
  }

  /// The record of what another program did.
  ///
  /// - Parameters:
  ///   - changed: names of changed files, `changedWeights` for those of tensors; empty where not known.
  ///   - before: the record of the step before; nil where none is known.
  public init(outside changed: [String], after before: JSONValue?) {
    self.init(step: .outside)
    if !changed.isEmpty {
      self[StepRecord.changedKey] = .array(changed.map { .string($0) })
    }
    self[StepRecord.beforeKey] = before ?? .null
  }
}

extension Manifest {
  /// The last step; nil when none was recorded.
  public var step: StepRecord? { StepRecord(recipe) }

  /// The steps that made the checkpoint, the earliest first.
  public var steps: [StepRecord] { StepRecord.sequence(in: recipe) }
}

extension StepRecord {
  /// The steps that `recipe` records, the earliest first.
  public static func sequence(in recipe: JSONValue) -> [StepRecord] {
    StepRecord(recipe).map { Swift.sequence(first: $0, next: \.before).reversed() } ?? []
  }

  /// What another program changed, and since when, in words; nil for a step of this program.
  public var change: String? {
    guard name == .outside else { return nil }
    let before = before.map { Swift.sequence(first: $0, next: \.before) }.map(Array.init) ?? []
    guard let last = before.first else {
      return "the weights come from outside: no manifest says how they were made"
    }
    let changed = (json[Self.changedKey]?.array ?? []).compactMap(\.string)
    let what = changed == [Self.changedWeights] ? "weights were" : changed.joined(separator: ", ")
    return "\(what) changed outside since step \(before.count) (\(last.name.rawValue))"
  }

  /// What stands for the files of tensors among those that were changed.
  public static let changedWeights = "weights"

  fileprivate static let changedKey = "changed"
}
