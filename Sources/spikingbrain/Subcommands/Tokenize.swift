import ArgumentParser
import InputFiles
import ModelFiles
import StrictJSON
import Tokenization

/// `tokenize`: text to ids, or back.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads text on standard input and prints its token ids as one JSON array.")

  @Argument(help: "The checkpoint whose tokenizer to use.")
  var ckpt: String

  @Flag(help: "Read a JSON array of ids and print the text.")
  var decode = false

  @Flag(help: "Leave out the special tokens that the tokenizer adds by itself (such as BOS).")
  var noSpecialTokens = false

  func run() throws {
    let tokenizer = try TokenizerSource.open(ckpt).load()
    let input = try InputFile.readStandardInput(limit: InputFile.mostTextBytes)
    if decode {
      let ids = try InputError.ids(in: input)
      if let unknown = ids.first(where: { tokenizer.token(of: $0) == nil }) {
        throw InputError.notIDs(reason: "the tokenizer has no token \(unknown)")
      }
      Terminal.continueText(tokenizer.decode(ids))
    } else {
      try InputFile.requireText(input, file: InputFile.standardInput)
      let ids = tokenizer.encode(bytes: input, addSpecialTokens: !noSpecialTokens)
      Terminal.say(JSONValue.ints(ids))
    }
  }
}
