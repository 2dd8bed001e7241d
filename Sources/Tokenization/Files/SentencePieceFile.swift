/// A model of SentencePiece (`tokenizer.model`): pieces with scores, and how texts are normalised.
///
/// Source: `sentencepiece_model.proto`. Fields about training are not read.
struct SentencePieceFile: Sendable {
  struct Piece: Sendable {
    var text: String
    var score: Float
    var kind: Kind
  }

  /// `ModelProto.SentencePiece.Type`.
  enum Kind: Int, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// `TrainerSpec.ModelType`.
  enum Algorithm: Int, Sendable {
    case unigram = 1
    case bytePair, word, character
  }

  private(set) var pieces: [Piece] = []
  private(set) var algorithm = Algorithm.unigram
  private(set) var fallsBackToBytes = false
  private(set) var unknownID = 0
  /// Ids of the tokens that begin and end a text; negative when there is none.
  private(set) var beginID = 1
  private(set) var endID = 2
  /// How texts are normalised.
  private(set) var normalization = SentencePieceNormalizer.Rules()

  private let file: String

  /// Reads a model.
  /// - Parameter file: its name, for errors.
  init(_ bytes: [UInt8], file: String) throws(TokenizationError) {
    self.file = file
    var fields = ProtobufFields(bytes[...], file: file)
    while let (number, value) = try fields.next() {
      switch number {
      case 1: try appendPiece(try message(value, "pieces[\(pieces.count)]"))
      case 2: try readTrainer(try message(value, "trainer_spec"))
      case 3: try readNormalizer(try message(value, "normalizer_spec"))
      case 5:
        // The table for detokenising; decoding would have to apply it.
        var inner = try message(value, "denormalizer_spec")
        while let (number, value) = try inner.next() {
          guard number != 2 || value.bytes?.isEmpty ?? true else {
            throw .unsupportedOption(
              path: "denormalizer_spec.precompiled_charsmap", value: "a table",
              reason: "only none is")
          }
        }
      default: break
      }
    }
    guard !pieces.isEmpty else {
      throw .malformed(file: file, reason: "it holds no pieces of a SentencePiece model")
    }
    guard pieces.indices.contains(unknownID), pieces[unknownID].kind == .unknown else {
      throw .malformed(file: file, reason: "unk_id \(unknownID) is no unknown piece")
    }
  }

  private func message(
    _ value: ProtobufFields.Value, _ name: String
  ) throws(TokenizationError) -> ProtobufFields {
    ProtobufFields(try required(value.bytes, name), file: file)
  }

  private func required<Value>(
    _ value: Value?, _ name: String
  ) throws(TokenizationError) -> Value {
    guard let value else {
      throw .malformed(file: file, reason: "\(name) is of another type or out of range")
    }
    return value
  }

  private mutating func appendPiece(_ fields: ProtobufFields) throws(TokenizationError) {
    let name = "pieces[\(pieces.count)]"
    guard pieces.count < TokenizationLimits.vocabularySize else {
      throw .tooLarge("vocabulary", pieces.count + 1, limit: TokenizationLimits.vocabularySize)
    }
    var fields = fields
    var piece = Piece(text: "", score: 0, kind: .normal)
    while let (number, value) = try fields.next() {
      switch number {
      case 1:
        let bytes = try required(value.bytes, "\(name).piece")
        guard bytes.count <= TokenizationLimits.pieceBytes else {
          throw .tooLarge(
            "piece at \(name)", bytes.count, limit: TokenizationLimits.pieceBytes)
        }
        piece.text = try required(String(validating: bytes, as: UTF8.self), "\(name).piece")
      case 2:
        piece.score = try required(value.float, "\(name).score")
        guard piece.score.isFinite else {
          throw .malformed(file: file, reason: "\(name).score is \(piece.score)")
        }
      case 3: piece.kind = try required(value.int.flatMap(Kind.init), "\(name).type")
      default: break
      }
    }
    guard !piece.text.isEmpty else { throw .malformed(file: file, reason: "\(name) is empty") }
    pieces.append(piece)
  }

  private mutating func readTrainer(_ fields: ProtobufFields) throws(TokenizationError) {
    var fields = fields
    while let (number, value) = try fields.next() {
      func int(_ name: String) throws(TokenizationError) -> Int {
        try required(value.int, "trainer_spec.\(name)")
      }
      switch number {
      case 3:
        algorithm = try required(Algorithm(rawValue: int("model_type")), "trainer_spec.model_type")
      case 24: normalization.marksEnd = try int("treat_whitespace_as_suffix") != 0
      case 35: fallsBackToBytes = try int("byte_fallback") != 0
      case 40: unknownID = try int("unk_id")
      case 41: beginID = try int("bos_id")
      case 42: endID = try int("eos_id")
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ fields: ProtobufFields) throws(TokenizationError) {
    var fields = fields
    while let (number, value) = try fields.next() {
      func flag(_ name: String) throws(TokenizationError) -> Bool {
        try required(value.int, "normalizer_spec.\(name)") != 0
      }
      switch number {
      case 2:
        let table = try required(value.bytes, "normalizer_spec.precompiled_charsmap")
        if !table.isEmpty {
          normalization.map = try CharacterMap(
            bytes: Array(table), path: "normalizer_spec.precompiled_charsmap")
        }
      case 3: normalization.addsMark = try flag("add_dummy_prefix")
      case 4: normalization.removesExtraSpaces = try flag("remove_extra_whitespaces")
      case 5:
        guard try flag("escape_whitespaces") else {
          throw .unsupportedOption(
            path: "normalizer_spec.escape_whitespaces", value: "false", reason: "only true is")
        }
      default: break
      }
    }
  }
}
