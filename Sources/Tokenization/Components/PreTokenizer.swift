/// How a normalised text is split into the words that the model sees: steps in order.
///
/// Every pre-tokenizer of a tokenizer file is a combination of these three.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    case split(Split)
    case prefix(Prefix)
    /// Each byte becomes its scalar of the byte-level alphabet.
    case byteAlphabet
    /// A scalar is replaced everywhere.
    case replace(Unicode.Scalar, with: [UInt8])
  }

  /// Text put before the pieces that do not start with it.
  struct Prefix: Sendable {
    var text: [UInt8]
    var onlyAtStart = false
  }

  var steps: [Step] = []

  func apply(to pieces: inout Pieces) {
    for step in steps { step.apply(to: &pieces) }
  }
}

extension PreTokenizer.Step {
  fileprivate func apply(to pieces: inout Pieces) {
    let bytes = pieces.bytes
    switch self {
    case .split(let split): split.apply(to: &pieces)
    case .prefix(let prefix):
      pieces.rewrite { piece, isStart, text in
        if isStart || !prefix.onlyAtStart,
          !bytes.matches(prefix.text[...], at: piece.lowerBound, end: piece.upperBound)
        {
          text += prefix.text
        }
        text += bytes[piece]
      }
    case .byteAlphabet:
      pieces.rewrite { piece, _, text in
        for byte in bytes[piece] { text += ByteAlphabet.encoded[Int(byte)] }
      }
    case .replace(let scalar, let content):
      pieces.rewrite { piece, _, text in
        bytes.forEachScalar(in: piece) { found, range in
          text += found == scalar ? content[...] : bytes[range]
        }
      }
    }
  }
}
