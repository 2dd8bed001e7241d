import Architectures
public import ModelFiles
import Tokenization

/// A short text on which models are compared: the same one every time, so that figures compare.
public enum ProbeText {
  /// Tokens that are compared.
  public static let length = 128

  static let text = """
    The harbour lies on the eastern side of the island, behind a wall of grey stone that was built \
    two hundred years ago. In summer the fishing boats leave before dawn and come back at noon; in \
    winter most of them stay ashore, and the men repair nets and engines in the long sheds near \
    the church. A visitor once asked the oldest of them how many fish he had caught in his life. \
    "That is easy," he said. "Fewer than I have told people about." Water boils at 100 degrees, \
    light needs about eight minutes from the sun to the earth, and a leap year has 366 days: such \
    facts he kept in a small book, with prices, birthdays, and the names of ships.
    """

  /// The first tokens of the text in the tokenizer of `file`, or seeded ones when it has none.
  public static func tokens(for file: ModelFile) -> [Int] {
    let vocabulary = file.description.vocabularySize
    if let tokenizer = try? file.tokenizer.load() {
      let ids = tokenizer.encode(bytes: Array(text.utf8))
      if ids.count >= 16, ids.allSatisfy((0..<vocabulary).contains) {
        return Array(ids.prefix(length))
      }
    }
    return LogitsCheck.probe(for: file.description, count: length)
  }
}
