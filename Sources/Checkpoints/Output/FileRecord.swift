public import StrictJSON

/// A finished file: its name relative to the output directory, its size and its SHA-256.
public struct FileRecord: Sendable, Hashable, Codable {
  /// The name relative to the directory.
  public var name: String
  /// The size in bytes.
  public var bytes: Int
  /// The digest of the whole file.
  public var sha256: SHA256Digest

  /// A file of the given size and digest.
  public init(name: String, bytes: Int, sha256: SHA256Digest) {
    self.name = name
    self.bytes = bytes
    self.sha256 = sha256
  }

  /// `{"name":…,"bytes":…,"sha256":…}`
  public var json: JSONValue {
    ["name": .string(name), "bytes": .int(bytes), "sha256": .string(sha256.hex)]
  }

  /// Reads what `json` writes; nil when anything is missing, of another type, or not a plain
  /// relative name.
  public init?(json: JSONValue) {
    guard let name = json["name"]?.string, RelativeName.isValid(name),
      let bytes = json["bytes"]?.int, bytes >= 0,
      let sha256 = json["sha256"]?.string.flatMap({ SHA256Digest(hex: $0) })
    else { return nil }
    self.init(name: name, bytes: bytes, sha256: sha256)
  }
}
