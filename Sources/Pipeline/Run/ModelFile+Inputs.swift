import Architectures
import Checkpoints
import Conversion
import Foundations
import InputFiles
package import ModelFiles
import Runtime
import StrictJSON
import TensorTypes
import Tokenization

extension ModelFile {
  /// The first `limit` tokens of the texts `files`, one after the other.
  package func tokens(of files: [String], limit: Int) throws -> [Int] {
    try textTokens(of: files, limit: limit).tokens
  }

  /// The same, with what to say of texts that are not reached, or are fewer tokens: once they have been
  /// found to fit, since an error says more.
  func textTokens(of files: [String], limit: Int) throws -> (tokens: [Int], notes: [String]) {
    let tokenizer = try tokenizer.load()
    var tokens: [Int] = [], notes: [String] = [], left = files[...]
    while tokens.count < limit, let file = left.popFirst() {
      tokens += tokenizer.encode(bytes: try InputFile.readText(file))
    }
    if !left.isEmpty {
      notes.append(
        "note: those before have all \(limit) --tokens: \(left.joined(separator: ", ")) not read")
    } else if tokens.count < limit, limit < .max {
      notes.append(
        "note: the texts have \(counted(tokens.count, "token")) of the \(limit) that --tokens asks for"
      )
    }
    tokens = Array(tokens.prefix(limit))
    try description.requireRows(for: tokens, text: tokenizer.token(of:))
    return (tokens, notes)
  }

  /// Every file that reading this checkpoint may touch.
  package var inputs: [String] { [path] + reader.files + (adapters?.files ?? []) }

  /// What tells this model from others, on any machine: its structure and a sample of its files.
  var fingerprint: String { Digest.of("\(description.key) \(JSONValue.object(summary).compact)") }
}
