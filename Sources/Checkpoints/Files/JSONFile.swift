public import StrictJSON

/// Reads JSON of bounded size.
public enum JSONFile {
  /// The document in the file at `path`; `what` names it when it is longer than `limit` bytes.
  public static func read(
    _ path: String, what: String, limit: Int, contents: JSONLimit = .tensors
  ) throws(CheckpointError) -> JSONValue {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    guard file.bytes.count <= limit else {
      throw .limitExceeded(
        file: path, quantity: "size of the \(what)", limit: limit, got: UInt64(file.bytes.count))
    }
    return try parse(file.bytes, file: path, limit: contents)
  }

  /// The document in `bytes`, a part of `file`.
  static func parse(
    _ bytes: some Sequence<UInt8>, file: String, limit: JSONLimit = .tensors
  ) throws(CheckpointError) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser.parse(bytes, limit: limit)
    } catch {
      throw .notJSON(file: file, reason: error)
    }
  }
}
