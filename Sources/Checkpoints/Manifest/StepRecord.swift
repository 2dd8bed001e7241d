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

  /// The step before; nil for the first.
  public var before: StepRecord? { StepRecord(json[Self.beforeKey]) }

  /// What it found, under `key`; nil when it recorded nothing of the kind.
  public func found<Record: Decodable>(_ key: String, _ type: Record.Type) -> Record? {
    json[key]?.record(type)
  }

  fileprivate static let nameKey = "step", settingsKey = "settings", beforeKey = "of"
}

extension StepRecord.Name {
  /// The steps of this program that write checkpoints.
  public static let convert: Self = "convert", heal: Self = "heal", upcycle: Self = "upcycle"
  public static let calibrate: Self = "calibrate", export: Self = "export"
  public static let synthesize: Self = "synthesize"
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
}

extension Manifest {
  /// The steps that made the checkpoint in `directory`, the earliest first; none without a manifest.
  public static func steps(in directory: String) throws(CheckpointError) -> [StepRecord] {
    try Manifest(ifIn: directory)?.steps ?? []
  }

  /// The last step; nil when none was recorded.
  public var step: StepRecord? { StepRecord(recipe) }

  /// The steps that made the checkpoint, the earliest first.
  public var steps: [StepRecord] {
    step.map { sequence(first: $0, next: \.before).reversed() } ?? []
  }
}
