import StrictJSON

/// Reads JSON that lists tensors, of bounded size.
enum JSONFile {
  /// The document in the file at `path`; `what` names it when it is longer than `limit` bytes.
  static func read(
    _ path: String, what: String, limit: Int
  ) throws(CheckpointError) -> JSONValue {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= limit else {
      throw .limitExceeded(
        file: path, quantity: "size of the \(what)", limit: limit, got: UInt64(file.bytes.count))
    }
    return try parse(file.bytes, file: path)
  }

  /// The document in `bytes`, a part of `file` that lists tensors.
  static func parse(
    _ bytes: some Sequence<UInt8>, file: String
  ) throws(CheckpointError) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser.parse(bytes, limit: .tensors)
    } catch {
      throw .notJSON(file: file, reason: error)
    }
  }
}
