import Checkpoints
import Foundation

/// Small facts on disk that a later run relies on: a line of JSON, and a line with its digest, so
/// that what was cut short or changed since is found.
enum SealedFile {
  /// Writes `value` so that it is there whole or not at all, even after a crash; throws `otherwise`
  /// when it holds numbers that are not finite.
  static func write(
    _ value: some Encodable, to path: String, otherwise: HealingError? = nil
  ) throws {
    let text: Data
    do {
      text = try JSONEncoder().encode(value)
    } catch let error as EncodingError {
      throw otherwise ?? HealingError.notFinite(path: path, reason: "\(error)")
    }
    let stream = try FileStream(path: path + ".new")
    try stream.write(Array(text) + Array("\n\(SHA256.hash(Array(text)))\n".utf8))
    _ = try stream.finish()
    guard rename(path + ".new", path) == 0 else {
      throw HealingError.file(path, operation: "rename", errno: errno)
    }
  }

  /// The value in the file at `path`; nil when there is none.
  static func read<Value: Decodable>(_ path: String) throws -> Value? {
    guard let data = FileManager.default.contents(atPath: path) else {
      guard FileManager.default.fileExists(atPath: path) else { return nil }
      throw HealingError.changed(path: path)
    }
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.count == 3, lines[2].isEmpty,
      lines[1].elementsEqual(SHA256.hash(Array(lines[0])).hex.utf8),
      let value = try? JSONDecoder().decode(Value.self, from: lines[0])
    else { throw HealingError.changed(path: path) }
    return value
  }
}

extension FileRecord {
  /// What the file `name` of `directory` is now.
  init(of name: String, in directory: String) throws {
    let (bytes, digest) = try SHA256.hashFile(directory + "/" + name)
    self.init(name: name, bytes: bytes, sha256: digest)
  }

  /// Throws when the file in `directory` is not what it was.
  func requireIntact(in directory: String) throws {
    guard let now = try? FileRecord(of: name, in: directory), now == self else {
      throw HealingError.changed(path: directory + "/" + name)
    }
  }
}
