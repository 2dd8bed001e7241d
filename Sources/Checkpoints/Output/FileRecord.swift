public import StrictJSON

/// A finished file: its name relative to the output directory, its size and its SHA-256, and those of the
/// tensors in it.
public struct FileRecord: Sendable, Hashable, Codable {
  /// The name relative to the directory.
  public var name: String
  /// The size in bytes.
  public var bytes: Int
  /// The digest of the whole file.
  public var sha256: SHA256Digest
  /// The digests of the tensors that were written to it, by name.
  public var tensors: [String: SHA256Digest]

  /// A file of the given size and digest.
  public init(
    name: String, bytes: Int, sha256: SHA256Digest, tensors: [String: SHA256Digest] = [:]
  ) {
    self.name = name
    self.bytes = bytes
    self.sha256 = sha256
    self.tensors = tensors
  }

  /// `{"name":…,"bytes":…,"sha256":…}`
  public var json: JSONValue {
    ["name": .string(name), "bytes": .int(bytes), "sha256": .string(sha256.hex)]
  }

  /// The same with `"tensors":{name: digest,…}`, where there are any: what a journal keeps.
  var jsonWithTensors: JSONValue {
    guard !tensors.isEmpty else { return json }
    var object = json.object ?? JSONObject([])
    object["tensors"] = .object(
      JSONObject(strings: tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value.hex) }))
    return .object(object)
  }

  /// Reads what `json` and `jsonWithTensors` write; nil when anything is missing, of another type, or not a plain
  /// relative name.
  public init?(json: JSONValue) {
    guard let name = json["name"]?.string, RelativeName.isValid(name),
      let bytes = json["bytes"]?.int, bytes >= 0,
      let sha256 = json["sha256"]?.string.flatMap({ SHA256Digest(hex: $0) })
    else { return nil }
    self.init(name: name, bytes: bytes, sha256: sha256)
    for (name, digest) in json["tensors"]?.object?.members ?? [] {
      guard let digest = digest.string.flatMap(SHA256Digest.init(hex:)) else { return nil }
      tensors[name] = digest
    }
  }
}
