extension String {
  /// The text with every character that could move a cursor, change a terminal's state, hide or
  /// reorder what stands around it written as its code: `\u{1b}`.
  ///
  /// Names of tensors, keys and files come from strangers; a line that shows one must stay one line.
  public var printable: String { escaped { !$0.isPrintable } }

  /// A text of several lines with the control characters written as codes; line ends and tabs stay,
  /// and so do invisible characters, of which emoji and Arabic are made.
  public var printableLines: String {
    escaped { $0.isControl && $0 != "\n" && $0 != "\t" }
  }

  private func escaped(_ isUnsafe: (Unicode.Scalar) -> Bool) -> String {
    guard unicodeScalars.contains(where: isUnsafe) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if isUnsafe(scalar) {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

extension Unicode.Scalar {
  /// Whether the character is a control character of either set, U+0000–1F or U+007F–9F.
  public var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }

  /// Whether Python's `str.strip` takes the character for white space.
  public var isPythonSpace: Bool { properties.isWhitespace || (0x1c...0x1f).contains(value) }

  /// Whether a terminal shows the character and does nothing else: no control character, no line or
  /// paragraph separator, no mark of writing direction, none of the invisible characters that texts
  /// are hidden with.
  public var isPrintable: Bool {
    switch value {
    case 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB,
      0xE0000...0xE007F:
      false
    default: !isControl
    }
  }
}
