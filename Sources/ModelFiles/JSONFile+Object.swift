public import Checkpoints
public import StrictJSON

extension JSONFile {
  /// Larger configuration files are refused; tokenizers have their own limit. A document takes some 20
  /// times its size in memory, and configurations have kilobytes.
  public static let largest = 8 << 20

  /// The object in the file at `path` of a checkpoint, of at most `bytes` bytes.
  public static func object(
    _ path: String, limit: JSONLimit = .configuration, bytes: Int = largest
  ) throws(ModelFileError) -> JSONObject {
    let value: JSONValue
    do {
      value = try read(path, what: "file", limit: bytes, contents: limit)
    } catch {
      throw .invalidJSON(file: path, reason: reason(error, limit))
    }
    guard let object = value.object else { throw .configurationIsNoObject(file: path) }
    return object
  }

  /// What was wrong with the file, in few words.
  private static func reason(_ error: CheckpointError, _ limit: JSONLimit) -> String {
    switch error {
    case .limitExceeded(_, _, let largest, let bytes):
      return "\(bytes) bytes are too many; the limit is \(largest)"
    case .notJSON(_, let reason): return reason.what
    case .emptyFile:
      do throws(JSONError) {
        _ = try JSONParser.parse([], limit: limit)
        return "empty"
      } catch {
        return error.what
      }
    default: return "cannot be read"
    }
  }
}
