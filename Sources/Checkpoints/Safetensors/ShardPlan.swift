import StrictJSON
import TensorTypes

/// How a list of tensors is split into files, named as Hugging Face loaders expect.
public struct ShardPlan: Sendable {
  /// The usual limit on the tensor bytes of one file: 5 GB, decimal.
  public static let defaultLimit = 5_000_000_000

  /// One file of the plan.
  public struct Shard: Sendable {
    /// `model.safetensors`, or `model-00001-of-00003.safetensors`.
    public var file: String
    /// The header, with the place of every tensor.
    public var header: SafetensorsHeader
  }

  /// The files in order.
  public let shards: [Shard]

  /// Splits `entries` in their order into files of at most `limit` bytes of tensor data; a larger
  /// tensor gets a file of its own. The split does not depend on anything else.
  public init(
    _ entries: [SafetensorsHeader.Entry], limit: Int = ShardPlan.defaultLimit,
    metadata: [String: String] = ["format": "pt"]
  ) throws(CheckpointError) {
    var names: Set<String> = []
    var groups: [[SafetensorsHeader.Entry]] = [[]]
    var groupBytes = 0
    for entry in entries {
      guard names.insert(entry.name).inserted else {
        throw .duplicateTensor(
          tensor: entry.name, first: SafetensorsCheckpoint.singleName,
          second: SafetensorsCheckpoint.singleName)
      }
      let bytes = entry.shape.byteCount(entry.type) ?? 0
      if groups[groups.count - 1].isEmpty == false && bytes > limit - groupBytes {
        groups.append([])
        groupBytes = 0
      }
      groups[groups.count - 1].append(entry)
      groupBytes += bytes
    }
    var shards: [Shard] = []
    for (index, group) in groups.enumerated() {
      let file = ShardPlan.fileName(index + 1, of: groups.count)
      let header = try SafetensorsHeader(file: file, entries: group, metadata: metadata)
      shards.append(Shard(file: file, header: header))
    }
    self.shards = shards
  }

  /// All tensors, by file, then by offset.
  public var tensors: [StoredTensor] { shards.flatMap(\.header.tensors) }

  /// The bytes of all tensors, without headers.
  public var totalSize: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// The text of `model.safetensors.index.json`, or nil when there is one file, which needs none.
  public var index: String? {
    guard shards.count > 1 else { return nil }
    let places = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      .map { ($0.name, JSONValue.string($0.file)) }
    let document: JSONValue = [
      "metadata": ["total_size": .int(totalSize)], "weight_map": .object(JSONObject(places)),
    ]
    return document.pretty
  }

  private static func fileName(_ number: Int, of count: Int) -> String {
    guard count > 1 else { return SafetensorsCheckpoint.singleName }
    func five(_ number: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    return "model-\(five(number))-of-\(five(count)).safetensors"
  }
}
