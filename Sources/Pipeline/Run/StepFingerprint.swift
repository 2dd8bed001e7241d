import Checkpoints
import ModelFiles
import StrictJSON

/// What determines the result of a step: a run is continued, and an output taken for its result, only
/// when all of it is the same.
public struct StepFingerprint: Sendable {
  /// Digests by name, without times or paths: the manifest records them.
  let digests: [String: String]
  let settings: [(key: String, value: String)]
  /// Patterns of the tensors that are left out of the models' files.
  let ignoredTensors: [String]
  /// The files of models: their digests are samples, so that their versions count too.
  let files: [String]
  /// The texts, all of which is in the digests.
  let texts: [String]

  /// All files that are read.
  var inputs: [String] { files + texts }

  /// The fingerprint of a step on models by their roles, with the tokens of its texts.
  init(
    models: [(role: String, file: ModelFile)], tokens: [Int]? = nil,
    settings: [(key: String, value: String)], texts: [String] = [],
    others: [String: String] = [:]
  ) {
    var digests = others.merging(["version": ProgramVersion.current]) { $1 }
    for (role, file) in models { digests[role] = file.fingerprint }
    if let tokens { digests["text"] = Digest.of(tokens) }
    ignoredTensors = models.flatMap(\.file.leftOut.patterns).reduce(into: []) {
      if !$0.contains($1) { $0.append($1) }
    }
    if !ignoredTensors.isEmpty { digests["ignored_tensors"] = Digest.of("\(ignoredTensors)") }
    self.digests = digests
    self.settings = settings
    files = models.flatMap(\.file.inputs)
    self.texts = texts
  }

  /// As manifests record it.
  var json: JSONValue {
    var fields = digests
    fields["settings"] = Digest.of("\(settings)")
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

/// Hashes of what determines a result.
enum Digest {
  /// The SHA-256 of a text.
  static func of(_ text: String) -> String { SHA256.hash(Array(text.utf8)).hex }

  /// That of a list of tokens.
  static func of(_ tokens: [Int]) -> String {
    of(tokens.map(String.init).joined(separator: ","))
  }
}
