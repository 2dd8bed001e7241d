public import TensorTypes

/// What `export` may be told, by a recipe or on the command line.
public struct ExportSettings: Sendable, Equatable {
  /// The name of the profile: which loader the result is for.
  public var profile: String
  /// The element type of what is not quantised.
  public var dtype = ConvertSettings.OutputType.keep
  /// The ranks that the result is cut for.
  public var topology = Topology()
  /// Most bytes of tensors in one file.
  public var shardSize = ByteSize(5_000_000_000)
  /// Whether config.json may name the remote code that runs the model.
  public var autoMap = true

  /// The defaults for a profile.
  public init(profile: String) { self.profile = profile }

  /// How many ranks share the layers' matrices, the layers and the experts.
  public struct Topology: Sendable, Equatable {
    /// Ranks that each hold a part of every matrix.
    public var tensor = 1
    /// Ranks that each hold some layers.
    public var pipeline = 1
    /// Ranks that each hold some experts.
    public var expert = 1

    /// One rank.
    public init() {}

    /// Whether one rank holds everything.
    public var isSingle: Bool { self == Topology() }
  }

  /// What determines the output, key by key in a fixed order: as the manifest records it.
  public var fields: [(key: String, value: String)] {
    [
      ("profile", profile), ("dtype", dtype.rawValue), ("tp", "\(topology.tensor)"),
      ("pp", "\(topology.pipeline)"), ("ep", "\(topology.expert)"),
      ("shard-size", "\(shardSize.bytes)"), ("auto-map", "\(autoMap)"),
    ]
  }

  /// Throws when a value is out of range; `place` says where each key was given.
  public func validate(at place: (String) -> RecipeError.Place) throws(RecipeError) {
    let ranks = [
      ("tp", topology.tensor), ("pp", topology.pipeline), ("ep", topology.expert),
    ]
    for (key, count) in ranks where !(1...65_536).contains(count) {
      throw .wrongValue(key: key, value: "\(count)", expected: "1 to 65536", place: place(key))
    }
    guard shardSize.bytes > 0 else {
      throw .wrongValue(
        key: "shard-size", value: "\(shardSize.bytes)", expected: "a size like 5GB",
        place: place("shard-size"))
    }
  }

  /// The settings that `fields` recorded, for example in a manifest.
  public init(fields: [String: String], file: String) throws(RecipeError) {
    var reader = try RecipeReader(recorded: fields, file: file)
    try self.init(&reader)
    try reader.finish()
  }
}

extension ExportSettings: RecipeStep {
  static let key = "export"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    self.init(profile: try reader.requiredText("profile"))
    dtype = try reader.value(
      "dtype", default: dtype, expected: ConvertSettings.OutputType.choices
    ) { ConvertSettings.OutputType(rawValue: $0) }
    topology.tensor = try reader.positive("tp", default: 1)
    topology.pipeline = try reader.positive("pp", default: 1)
    topology.expert = try reader.positive("ep", default: 1)
    shardSize = try reader.value("shard-size", default: shardSize, expected: "a size like 5GB") {
      ByteSize(parsing: $0)
    }
    autoMap = try reader.value("auto-map", default: autoMap, expected: "true or false") { Bool($0) }
    try validate(at: reader.place)
  }
}
