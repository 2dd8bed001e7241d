import Checkpoints
import Foundation
import Pipeline
package import Runtime

/// A file with a state.
package struct StoredState: Sendable {
  /// Where it is.
  var path: String
  /// Its size.
  var bytes: Int
}

/// A directory of files with states, as `generate --save-state` writes them, each with the tokens that
/// it has read.
///
/// Its name is the hash of scope and tokens. A file that does not fit its name, or is of another model,
/// is left alone.
package struct StateDirectory: Sendable {
  private let path: String
  private let owner: StateFile.Owner
  /// Files that are never replaced, and whose permissions bound those of states.
  private let inputs: [String]

  private static let suffix = ".safetensors"

  /// The directory `path`, which is made when it is not there, readable by its owner only: states
  /// tell what was said.
  package init(_ path: String, owner: StateFile.Owner, inputs: [String]) throws {
    self.path = path
    self.owner = owner
    self.inputs = inputs
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw InputError.option(
        "--state-dir", value: path, expected: "a directory that can be written to")
    }
  }

  /// The states that are there, those used last at the end.
  func entries() throws -> [StateStore.Entry] {
    let manager = FileManager.default
    var found: [(entry: StateStore.Entry, date: Date)] = []
    for name in try manager.contentsOfDirectory(atPath: path) where name.hasSuffix(Self.suffix) {
      let file = path + "/" + name
      guard let attributes = try? manager.attributesOfItem(atPath: file),
        let bytes = attributes[.size] as? Int, let date = attributes[.modificationDate] as? Date,
        let metadata = (try? SafetensorsFile(path: file))?.metadata, owner.owns(metadata),
        let scope = metadata["scope"], let text = metadata["tokens"]
      else { continue }
      guard let tokens = TokenText.tokens(in: text), Self.name(tokens, scope: scope) == name else {
        continue
      }
      found.append(
        (
          StateStore.Entry(
            scope: scope, tokens: tokens, file: StoredState(path: file, bytes: bytes)), date
        ))
    }
    return found.sorted { $0.date < $1.date }.map(\.entry)
  }

  func read(_ file: StoredState) throws -> DecodingState {
    try StateFile.read(file.path, for: owner).state
  }

  func write(_ state: DecodingState, tokens: [Int32], scope: String) throws -> StoredState {
    let file = path + "/" + Self.name(tokens, scope: scope)
    try StateFile.write(
      state, of: owner,
      metadata: ["scope": scope, "tokens": TokenText.text(tokens)],
      to: FloatTensorFile(path: file, kind: .state, force: false, inputs: inputs))
    let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
    return StoredState(path: file, bytes: size ?? 0)
  }

  func remove(_ file: StoredState) { try? FileManager.default.removeItem(atPath: file.path) }

  private static func name(_ tokens: [Int32], scope: String) -> String {
    var hash = SHA256()
    Array((scope + "\0").utf8).withUnsafeBytes { hash.update($0) }
    tokens.withUnsafeBytes { hash.update($0) }
    return hash.finish().hex + suffix
  }
}

extension StateStore {
  /// The scope of an API key, which does not tell the key.
  package static func scope(ofKey key: String) -> String {
    SHA256.hash(Array("spikingbrain scope \(key)".utf8)).hex
  }
}
