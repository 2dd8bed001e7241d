import Architectures
import Checkpoints
import Conversion
import InputFiles
package import ModelFiles
import Runtime
import StrictJSON
import Tokenization

extension ModelFile {
  /// The first `limit` tokens of the texts `files`, one after the other.
  package func tokens(of files: [String], limit: Int) throws -> [Int] {
    let tokenizer = try tokenizer.load()
    var tokens: [Int] = []
    for file in files where tokens.count < limit {
      tokens += tokenizer.encode(bytes: try InputFile.readText(file))
    }
    tokens = Array(tokens.prefix(limit))
    try description.requireRows(for: tokens, text: tokenizer.token(of:))
    return tokens
  }

  /// Every file that reading this checkpoint may touch.
  package var inputs: [String] { [path] + reader.files }

  /// What tells this model from others, on any machine: its structure and a sample of its files.
  var fingerprint: String { Digest.of("\(description.key) \(JSONValue.object(summary).compact)") }
}
