public import StrictJSON
public import TensorTypes

/// A checkpoint of Megatron's legacy format (`--ckpt-format torch`): a PyTorch file for each rank.
/// Specified in `formats/megatron/README.md`.
///
/// A tensor is called by the directory of its rank, a slash and its key:
/// `mp_rank_00_001/decoder.layers.0.mlp.linear_fc1.weight`. What the ranks' parts mean is not looked
/// at here.
public struct MegatronCheckpoint: CheckpointReader {
  public let formatName = "Megatron"
  public let tensors: [StoredTensor]
  /// The arguments that the first rank's file holds, and their file.
  public let arguments: (object: JSONObject, file: String)
  /// The directories of the ranks, sorted.
  public let directories: [String]

  private let ranks: [String: PyTorchFile]
  private let indexOfName: [String: Int]

  /// Opens a directory with the file that names an iteration, or the directory of an iteration.
  public init(path: String) throws(CheckpointError) {
    let iteration = try MegatronCheckpoint.iteration(path)
    let names = try FileStatus.names(in: iteration).filter { $0.hasPrefix(Self.rankPrefix) }
    guard let first = names.first else {
      throw .checkpointNotFound(
        path: iteration, lookedFor: ["\(Self.rankPrefix)*/\(Self.rankFile)"], found: [])
    }
    var ranks: [String: PyTorchFile] = [:], tensors: [StoredTensor] = []
    var indexOfName: [String: Int] = [:]
    for directory in names {
      let file = try PyTorchFile(
        path: RelativeName.join(RelativeName.join(iteration, directory), Self.rankFile))
      ranks[directory] = file
      for tensor in file.tensors where !tensor.name.hasSuffix(Self.extraStateSuffix) {
        var named = tensor
        named.name = "\(directory)/\(tensor.name)"
        indexOfName[named.name] = tensors.count
        tensors.append(named)
      }
    }
    directories = names
    self.ranks = ranks
    self.tensors = tensors
    self.indexOfName = indexOfName
    let firstFile = RelativeName.join(RelativeName.join(iteration, first), Self.rankFile)
    guard let object = ranks[first]?.settings["args"]?.object else {
      throw .headerField(
        file: firstFile, field: "args", expected: "the arguments of the training, with its ranks")
    }
    arguments = (object, firstFile)
  }

  /// The arguments that the file of one rank holds.
  public func arguments(of directory: String) -> JSONObject? {
    ranks[directory]?.settings["args"]?.object
  }

  public var files: [String] { directories.flatMap { ranks[$0]?.files ?? [] } }

  public func tensor(named name: String) -> StoredTensor? { indexOfName[name].map { tensors[$0] } }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    let directory = name.prefix { $0 != "/" }
    guard let rank = ranks[String(directory)], indexOfName[name] != nil else {
      throw .noSuchTensor(file: files.first ?? "", tensor: name)
    }
    return try rank.view(String(name.dropFirst(directory.count + 1)))
  }

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
    defer { withExtendedLifetime(file) {} }
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
