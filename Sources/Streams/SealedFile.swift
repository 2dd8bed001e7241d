package import Checkpoints
import Foundation

/// Small facts on disk that a later run relies on: a line of JSON, and a line with its digest, so
/// that what was cut short or changed since is found.
package enum SealedFile {
  /// Writes `value` so that it is there whole or not at all, even after a crash; throws `otherwise`
  /// when it holds numbers that are not finite.
  package static func write(
    _ value: some Encodable, to path: String, otherwise: (any Error)? = nil
  ) throws {
    let text: Data
    do {
      text = try JSONEncoder().encode(value)
    } catch let error as EncodingError {
      throw otherwise ?? error
    }
    let stream = try FileStream(path: path + ".new")
    try stream.write(Array(text) + Array("\n\(SHA256.hash(Array(text)))\n".utf8))
    _ = try stream.finish()
    try move(path + ".new", to: path)
  }

  /// Puts a file that is written to the end in the place of another.
  static func move(_ from: String, to path: String) throws(StreamError) {
    guard rename(from, path) == 0 else { throw .file(path, operation: "rename", errno: errno) }
  }

  /// The value in the file at `path`; nil when there is none.
  package static func read<Value: Decodable>(_ path: String) throws -> Value? {
    guard let data = FileManager.default.contents(atPath: path) else {
      guard FileManager.default.fileExists(atPath: path) else { return nil }
      throw StreamError.changed(path: path)
    }
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.count == 3, lines[2].isEmpty,
      lines[1].elementsEqual(SHA256.hash(Array(lines[0])).hex.utf8),
      let value = try? JSONDecoder().decode(Value.self, from: lines[0])
    else { throw StreamError.changed(path: path) }
    return value
  }
}

extension FileRecord {
  /// What the file `name` of `directory` is now.
  package init(of name: String, in directory: String) throws {
    let (bytes, digest) = try SHA256.hashFile(directory + "/" + name)
    self.init(name: name, bytes: bytes, sha256: digest)
  }

  /// Throws when the file in `directory` is not what it was.
  package func requireIntact(in directory: String) throws {
    guard let now = try? FileRecord(of: name, in: directory), now == self else {
      throw StreamError.changed(path: directory + "/" + name)
    }
  }
}
