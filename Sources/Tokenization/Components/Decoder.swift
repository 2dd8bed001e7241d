/// How tokens become text again: steps in order, each changing the list of tokens.
struct Decoder: Sendable {
  enum Step: Sendable {
    /// All tokens become one text: the bytes that the byte-level alphabet stands for.
    case byteAlphabet
    /// The mark becomes a space; at the start it goes, if a prefix had been put there.
    case metaspace(mark: Unicode.Scalar, prefixed: Bool)
    /// Runs of `<0xNN>` become the text of these bytes.
    case byteFallback
    case fuse
    /// Removes up to so many scalars at both ends of every token.
    case strip(Unicode.Scalar, start: Int, stop: Int)
    case replace(Pattern, with: [UInt8])
  }

  /// Nil if the file has no decoder: then tokens are joined by spaces.
  var steps: [Step]?

  /// The text of tokens as UTF-8.
  /// - Parameter isFinal: whether no more tokens follow. If some may, the bytes of a scalar that
  ///   is not complete stay at the end as they are; otherwise they become U+FFFD.
  func bytes(of tokens: [[UInt8]], isFinal: Bool = true) -> [UInt8] {
    guard let steps else { return Array(tokens.joined(separator: [0x20])) }
    return Array(steps.reduce(tokens) { $1.apply(to: $0, isFinal: isFinal) }.joined())
  }
}

extension Decoder.Step {
  fileprivate func apply(to tokens: [[UInt8]], isFinal: Bool) -> [[UInt8]] {
    switch self {
    case .byteAlphabet:
      let bytes = tokens.flatMap(Self.bytes(of:))
      let (text, tail) = Self.split(bytes, isFinal: isFinal)
      return [text.repairedUTF8 + tail]
    case .fuse: return [Array(tokens.joined())]
    case .byteFallback: return Self.joiningBytes(tokens, isFinal: isFinal)
    case .replace(let pattern, let content):
      return tokens.map { $0.replacing(pattern, with: content) }
    case .strip(let scalar, let start, let stop):
      return tokens.map { Self.strip($0, scalar, start: start, stop: stop) }
    case .metaspace(let mark, let prefixed):
      return tokens.enumerated().map { index, token in
        var text: [UInt8] = []
        token.forEachScalar(in: token.indices) { scalar, range in
          if scalar != mark {
            text += token[range]
          } else if index > 0 || !prefixed {
            text.append(0x20)
          }
        }
        return text
      }
    }
  }

  /// The bytes that a token's scalars stand for; the token's own if it holds any other scalar.
  private static func bytes(of token: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var isMapped = true
    token.forEachScalar(in: token.indices) { scalar, _ in
      if let byte = ByteAlphabet.byte(of: scalar) { bytes.append(byte) } else { isMapped = false }
    }
    return isMapped ? bytes : token
  }

  /// The bytes and, if more may follow, those of an incomplete scalar at their end.
  private static func split(
    _ bytes: [UInt8], isFinal: Bool
  ) -> (text: ArraySlice<UInt8>, tail: ArraySlice<UInt8>) {
    let end = bytes.count - (isFinal ? 0 : bytes.unfinishedTail)
    return (bytes[..<end], bytes[end...])
  }

  private static func joiningBytes(_ tokens: [[UInt8]], isFinal: Bool) -> [[UInt8]] {
    var joined: [[UInt8]] = []
    var run: [UInt8] = []
    func finishRun(isFinal: Bool = true) {
      if run.isEmpty { return }
      let (text, tail) = split(run, isFinal: isFinal)
      if String(validating: text, as: UTF8.self) != nil {
        joined += [Array(text), Array(tail)]
      } else {
        joined += Array(repeating: Array("\u{fffd}".utf8), count: run.count)
      }
      run = []
    }
    for token in tokens {
      if let byte = ByteFallback.byte(of: token) {
        run.append(byte)
      } else {
        finishRun()
        joined.append(token)
      }
    }
    finishRun(isFinal: isFinal)
    return joined
  }

  private static func strip(
    _ token: [UInt8], _ scalar: Unicode.Scalar, start: Int, stop: Int
  ) -> [UInt8] {
    let unit = Array(String(Character(scalar)).utf8)
    var range = token.indices
    for _ in 0..<min(start, token.count)
    where token.matches(unit[...], at: range.lowerBound, end: range.upperBound) {
      range = range.lowerBound + unit.count..<range.upperBound
    }
    for _ in 0..<min(stop, token.count)
    where token.matches(
      unit[...], at: max(range.lowerBound, range.upperBound - unit.count), end: range.upperBound)
    {
      range = range.lowerBound..<range.upperBound - unit.count
    }
    return Array(token[range])
  }
}

/// The tokens `<0x00>` … `<0xFF>` that stand for single bytes.
enum ByteFallback {
  /// The token of each byte.
  static let tokens: [ByteString] = (UInt8.min...UInt8.max).map { byte in
    let digits = String(byte, radix: 16, uppercase: true)
    return ByteString("<0x\(byte < 16 ? "0" : "")\(digits)>")
  }

  /// The byte a token stands for; nil for all other tokens.
  static func byte(of token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}

extension Decoder {
  private static let supported = [
    "Sequence", "ByteLevel", "Metaspace", "ByteFallback", "Fuse", "Strip", "Replace",
  ]

  /// Reads the member `decoder` of a tokenizer file.
  init(_ field: Field?) throws(TokenizationError) {
    guard let field else { return }
    let type = try field.member("type").string
    switch type {
    case "Sequence":
      var all: [Step] = []
      for element in try field.member("decoders").elements {
        all += try Decoder(element).steps ?? []
      }
      steps = all
    case "ByteLevel": steps = [.byteAlphabet]
    case "ByteFallback": steps = [.byteFallback]
    case "Fuse": steps = [.fuse]
    case "Metaspace":
      let scheme = try MetaspacePrefix(field)
      steps = [
        .metaspace(mark: try field.member("replacement").scalar, prefixed: scheme != .never)
      ]
    case "Strip":
      steps = [
        .strip(
          try field.member("content").scalar, start: try Self.count(field, "start"),
          stop: try Self.count(field, "stop"))
      ]
    case "Replace":
      steps = [
        .replace(
          try Pattern(try field.member("pattern")),
          with: Array(try field.member("content").string.utf8))
      ]
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }

  /// How many scalars to strip; more than a token can hold is as good as the most it can.
  private static func count(_ field: Field, _ key: String) throws(TokenizationError) -> Int {
    let member = try field.member(key)
    let value = try member.int
    guard value >= 0 else {
      throw .unsupportedOption(path: member.path, value: "\(value)", reason: "it is negative")
    }
    return min(value, TokenizationLimits.tokenBytes)
  }
}
