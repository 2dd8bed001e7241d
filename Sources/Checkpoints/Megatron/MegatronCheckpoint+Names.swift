extension MegatronCheckpoint {
  /// The file that says which iteration counts.
  public static let trackerName = "latest_checkpointed_iteration.txt"
  /// The iteration that every version of Megatron starts from.
  public static let release = "release"
  /// The version of the format that Megatron writes.
  public static let version = 3.0

  /// What the directories of ranks start with.
  static let rankPrefix = "mp_rank_"
  /// The file of a rank.
  static let rankFile = "model_optim_rng.pt"
  /// Keys of the states of modules that are no parameters.
  static let extraStateSuffix = "._extra_state"
  /// The longest tracker that is read, in bytes.
  private static let trackerLimit = 64

  /// The file of the rank in `directory`, relative to the checkpoint.
  public static func fileName(directory: String) -> String {
    "\(release)/\(directory)/\(rankFile)"
  }

  /// Whether the directory `path`, which holds `names`, is a checkpoint of this format or an iteration
  /// of one.
  static func isPresent(at path: String, names: [String]) throws(CheckpointError) -> Bool {
    guard names.contains(trackerName) else { return names.contains { $0.hasPrefix(rankPrefix) } }
    return try FileStatus.names(in: iteration(path)).contains { $0.hasPrefix(rankPrefix) }
  }

  /// The directory of the iteration that the tracker in `path` names; `path` when it has none.
  static func iteration(_ path: String) throws(CheckpointError) -> String {
    let tracker = RelativeName.join(path, trackerName)
    guard FileStatus.exists(tracker) else { return path }
    let file = try MappedFile(path: tracker)
    guard file.bytes.count <= trackerLimit else {
      throw .limitExceeded(
        file: tracker, quantity: "size of the tracker", limit: trackerLimit,
        got: UInt64(file.bytes.count))
    }
    let words = String(decoding: file.bytes, as: UTF8.self)
      .split(whereSeparator: \.isWhitespace)
    guard words.count == 1, let word = words.first else {
      throw .headerField(file: tracker, field: "its text", expected: "release or an iteration")
    }
    if word == release { return RelativeName.join(path, release) }
    guard word.allSatisfy({ $0.isASCII && $0.isNumber }), word.count <= 18 else {
      throw .headerField(file: tracker, field: "its text", expected: "release or an iteration")
    }
    let zeros = String(repeating: "0", count: max(0, 7 - word.count))
    return RelativeName.join(path, "iter_\(zeros)\(word)")
  }
}
