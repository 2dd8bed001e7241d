import Foundations

/// Splits a chat template into tokens.
///
/// A `-` in a tag takes all white space on its side; the rest is as `WhiteSpace` says.
struct TemplateLexer {
  /// Which of Jinja's settings for white space hold.
  enum WhiteSpace {
    /// Those of chat templates: a line break after a block tag goes (`trim_blocks`), spaces before a
    /// block tag that begins a line go (`lstrip_blocks`), and so does one line break at the end.
    case trimmed
    /// All stays.
    case kept
  }

  private let source: [Unicode.Scalar]
  private let whiteSpace: WhiteSpace
  private var position = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// Whether the text at hand starts at the beginning of a line.
  private var startsLine = true

  static func tokens(
    of text: String, whiteSpace: WhiteSpace
  ) throws(ChatTemplateError) -> [TemplateToken] {
    var lexer = TemplateLexer(text, whiteSpace)
    try lexer.run()
    return lexer.tokens
  }

  private init(_ text: String, _ whiteSpace: WhiteSpace) {
    self.whiteSpace = whiteSpace
    var scalars: [Unicode.Scalar] = []
    for scalar in text.unicodeScalars {
      if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
      scalars.append(scalar)
    }
    source =
      whiteSpace == .trimmed && scalars.last == "\n" ? scalars.dropLast() : scalars
  }

  private mutating func run() throws(ChatTemplateError) {
    while position < source.count {
      let start = position
      while position < source.count, !startsTag(position) { position += 1 }
      var text = Array(source[start..<position])
      let textLine = line
      line += text.count { $0 == "\n" }
      if position == source.count {
        append(text: text, line: textLine)
        break
      }
      let kind = source[position + 1]
      position += 2
      let control = peek()
      if control == "-" || control == "+" { position += 1 }
      if control == "-" {
        while let last = text.last, last.isPythonSpace { text.removeLast() }
      } else if control != "+", kind != "{", whiteSpace == .trimmed {
        stripLineStart(&text)
      }
      append(text: text, line: textLine)
      switch kind {
      case "#": try comment()
      case "{": try tag(.outputStart, .outputEnd, closing: "}")
      default: try tag(.blockStart, .blockEnd, closing: "%")
      }
    }
    tokens.append(TemplateToken(kind: .end, line: line))
  }

  private func startsTag(_ index: Int) -> Bool {
    guard source[index] == "{", index + 1 < source.count else { return false }
    return ["{", "%", "#"].contains(source[index + 1])
  }

  /// Removes the spaces between the last line break and a block tag.
  private func stripLineStart(_ text: inout [Unicode.Scalar]) {
    let start = text.lastIndex(of: "\n").map { $0 + 1 } ?? 0
    guard start > 0 || startsLine, text[start...].allSatisfy(\.isPythonSpace) else { return }
    text.removeSubrange(start...)
  }

  private mutating func append(text: [Unicode.Scalar], line: Int) {
    if text.isEmpty { return }
    var string = ""
    string.unicodeScalars.append(contentsOf: text)
    tokens.append(TemplateToken(kind: .text(string), line: line))
  }

  private mutating func comment() throws(ChatTemplateError) {
    let start = line
    while position + 1 < source.count, source[position] != "#" || source[position + 1] != "}" {
      if source[position] == "\n" { line += 1 }
      position += 1
    }
    guard position + 1 < source.count else {
      throw .syntax(reason: "the comment does not end", line: start)
    }
    let control = source[position - 1]
    position += 2
    skipAfterTag(control: control, trimsLine: true)
  }

  private mutating func tag(
    _ start: TemplateToken.Kind, _ end: TemplateToken.Kind, closing: Unicode.Scalar
  ) throws(ChatTemplateError) {
    let first = line
    tokens.append(TemplateToken(kind: start, line: line))
    // Braces of dictionaries are counted, or "}}}" would end the tag too early.
    var braces = 0
    while true {
      while let scalar = peek(), scalar.isPythonSpace { advance() }
      guard let scalar = peek() else {
        throw .syntax(reason: "the tag does not end", line: first)
      }
      let control = scalar == "-" || scalar == "+" ? scalar : nil
      let shift = control == nil ? 0 : 1
      if braces == 0, peek(shift) == closing, peek(shift + 1) == "}" {
        tokens.append(TemplateToken(kind: end, line: line))
        position += shift + 2
        skipAfterTag(control: control, trimsLine: closing == "%")
        return
      }
      if scalar == "{" { braces += 1 }
      if scalar == "}" { braces -= 1 }
      tokens.append(TemplateToken(kind: try token(), line: line))
    }
  }

  private mutating func skipAfterTag(control: Unicode.Scalar?, trimsLine: Bool) {
    let start = position
    if control == "-" {
      while let scalar = peek(), scalar.isPythonSpace { advance() }
    } else if control != "+", trimsLine, whiteSpace == .trimmed, peek() == "\n" {
      advance()
    }
    startsLine = position > start && source[position - 1] == "\n"
  }

  private mutating func token() throws(ChatTemplateError) -> TemplateToken.Kind {
    guard let scalar = peek() else { return .end }
    if scalar == "'" || scalar == "\"" { return .string(try string(quote: scalar)) }
    if scalar.properties.isXIDStart || scalar == "_" {
      return .name(take { $0.properties.isXIDContinue })
    }
    if ("0"..."9").contains(scalar) {
      return try number()
    }
    for symbol in ["==", "!=", "<=", ">=", "//", "**"]
    where symbol.unicodeScalars.elementsEqual(source[position...].prefix(2)) {
      position += 2
      return .symbol(symbol)
    }
    guard "+-*/%~<>=|.,:()[]{}".unicodeScalars.contains(scalar) else {
      throw .syntax(reason: "unexpected \"\(scalar)\"", line: line)
    }
    position += 1
    return .symbol(String(Character(scalar)))
  }

  /// An integer, or digits with a fraction, an exponent or both.
  private mutating func number() throws(ChatTemplateError) -> TemplateToken.Kind {
    func isDigit(_ scalar: Unicode.Scalar?) -> Bool {
      scalar.map { ("0"..."9").contains($0) } ?? false
    }
    var text = take(isDigit)
    var isInteger = true
    if peek() == ".", isDigit(peek(1)) {
      isInteger = false
      position += 1
      text += "." + take(isDigit)
    }
    let sign = peek(1) == "-" || peek(1) == "+" ? 1 : 0
    if peek() == "e" || peek() == "E", isDigit(peek(1 + sign)) {
      isInteger = false
      text += "e" + (sign == 1 ? String(Character(source[position + 1])) : "")
      position += 1 + sign
      text += take(isDigit)
    }
    if isInteger, let value = Int(text) { return .integer(value) }
    guard !isInteger, let value = Double(text) else {
      throw .unsupported("the number \(text)", line: line)
    }
    return .double(value)
  }

  private mutating func string(quote: Unicode.Scalar) throws(ChatTemplateError) -> String {
    let first = line
    var text = String.UnicodeScalarView()
    advance()
    while let scalar = peek(), scalar != quote {
      advance()
      guard scalar == "\\", let escaped = peek() else {
        text.append(scalar)
        continue
      }
      advance()
      switch escaped {
      case "n": text.append("\n")
      case "t": text.append("\t")
      case "r": text.append("\r")
      case "\\", "'", "\"": text.append(escaped)
      case "\n": break
      case "x": text.append(try escape(digits: 2))
      case "u": text.append(try escape(digits: 4))
      default: throw .unsupported("escape \"\\\(escaped)\"", line: line)
      }
    }
    guard peek() == quote else {
      throw .syntax(reason: "the string does not end", line: first)
    }
    advance()
    return String(text)
  }

  private mutating func escape(digits: Int) throws(ChatTemplateError) -> Unicode.Scalar {
    var text = ""
    while text.count < digits, let scalar = peek(), Character(scalar).isHexDigit {
      text.unicodeScalars.append(scalar)
      advance()
    }
    guard text.count == digits, let value = UInt32(text, radix: 16),
      let scalar = Unicode.Scalar(value)
    else { throw .syntax(reason: "malformed escape", line: line) }
    return scalar
  }

  private mutating func take(_ condition: (Unicode.Scalar) -> Bool) -> String {
    var text = ""
    while let scalar = peek(), condition(scalar) {
      text.unicodeScalars.append(scalar)
      position += 1
    }
    return text
  }

  private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
    position + distance < source.count ? source[position + distance] : nil
  }

  private mutating func advance() {
    if source[position] == "\n" { line += 1 }
    position += 1
  }
}
