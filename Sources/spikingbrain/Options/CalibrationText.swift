import Architectures
import Checkpoints
import Conversion
import Foundation
import InputFiles
import ModelFiles
import Runtime
import Tokenization

extension ModelFile {
  /// The first `limit` tokens of the texts `files`, one after the other.
  func tokens(of files: [String], limit: Int) throws -> [Int] {
    let tokenizer = try tokenizer.load()
    var tokens: [Int] = []
    for file in files where tokens.count < limit {
      tokens += tokenizer.encode(bytes: try InputFile.readText(file))
    }
    tokens = Array(tokens.prefix(limit))
    try description.requireRows(for: tokens, text: tokenizer.token(of:))
    return tokens
  }

  /// What tells this model from others, and one version of its files from another.
  var fingerprint: String { Fingerprint.of("\(description) \(FileIdentity.of(inputs))") }
}

/// Hashes of what determines a result, for the fingerprints of resumable runs.
enum Fingerprint {
  /// The SHA-256 of a text.
  static func of(_ text: String) -> String { SHA256.hash(Array(text.utf8)).hex }

  /// That of a list of tokens.
  static func of(_ tokens: [Int]) -> String {
    of(tokens.map(String.init).joined(separator: ","))
  }
}
