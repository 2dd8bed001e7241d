import InputFiles
import ModelFiles
import StrictJSON
import Tokenization

/// `tokenize`: text to ids, or back.
public enum TokenizeStep {
  /// The ids of the text on standard input by the tokenizer of the checkpoint `path`.
  public static func encode(
    _ path: String, addSpecialTokens: Bool, _ context: Context = Context()
  ) throws -> [Int] {
    let tokenizer = try TokenizerSource.open(context.local(path)).load()
    let input = try InputFile.readStandardInput(limit: InputFile.mostTextBytes)
    try InputFile.requireText(input, file: InputFile.standardInput)
    return tokenizer.encode(bytes: input, addSpecialTokens: addSpecialTokens)
  }

  /// The text of the ids on standard input, a JSON array.
  public static func decode(_ path: String, _ context: Context = Context()) throws -> String {
    let tokenizer = try TokenizerSource.open(context.local(path)).load()
    let ids = try InputError.ids(in: InputFile.readStandardInput(limit: InputFile.mostTextBytes))
    if let unknown = ids.first(where: { tokenizer.token(of: $0) == nil }) {
      throw InputError.notIDs(reason: "the tokenizer has no token \(unknown)")
    }
    return tokenizer.decode(ids)
  }
}
