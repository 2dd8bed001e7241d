import Architectures
import Checkpoints
import Conversion
import Foundation
import InputFiles
import ModelFiles
import Runtime
import StrictJSON
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

  /// What tells this model from others, on any machine: its structure and a sample of its files.
  var fingerprint: String {
    Fingerprint.of("\(description) \(JSONValue.object(summary).compact)")
  }
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

/// What determines the result of a step that reads a text: a run is continued, and an output taken
/// for its result, only when all of it is the same.
struct StepFingerprint {
  /// Digests by name, without times or paths: the manifest records them.
  let digests: [String: String]
  let settings: [(key: String, value: String)]
  /// The files of models: their digests are samples, so that their versions count too.
  let files: [String]
  /// The texts, all of which is in the digests.
  let texts: [String]

  /// All files that are read.
  var inputs: [String] { files + texts }

  init(
    _ digests: [String: String], settings: [(key: String, value: String)], files: [String],
    texts: [String]
  ) {
    self.digests = digests.merging(["version": ProgramVersion.current]) { $1 }
    self.settings = settings
    self.files = files
    self.texts = texts
  }

  /// As manifests record it.
  var json: JSONValue {
    var fields = digests
    fields["settings"] = Fingerprint.of("\(settings)")
    return .object(
      JSONObject(strings: fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
  }

  /// As journals do: every setting by its name, so that a difference can be named, and the versions
  /// of files as this machine sees them.
  var journal: [String: String] {
    var fields = digests
    for (key, value) in settings { fields["--" + key] = value }
    return fields.merging(FileIdentity.fingerprint(of: files)) { $1 }
  }
}
