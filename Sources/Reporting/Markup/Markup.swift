import Foundations

/// Source text of HTML or SVG, written as a string literal: whatever is interpolated is escaped,
/// unless it is markup itself.
///
/// Names and token pieces come from checkpoints, so escaping is what happens unasked.
public struct Markup: Sendable, Hashable, ExpressibleByStringInterpolation {
  /// The text, well-formed XML when the literals are.
  public private(set) var source: String

  /// Markup as it stands.
  public init(stringLiteral source: String) { self.source = source }

  public init(stringInterpolation parts: Interpolation) { source = parts.source }

  /// Several pieces, one after the other.
  public init(_ parts: [Markup], separator: Markup = "") {
    source = parts.map(\.source).joined(separator: separator.source)
  }

  /// Literals and what stands between them.
  public struct Interpolation: StringInterpolationProtocol {
    var source = ""

    public init(literalCapacity: Int, interpolationCount: Int) {
      source.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    public mutating func appendLiteral(_ literal: String) { source += literal }

    /// Text, escaped for contents and for attributes in double quotes.
    public mutating func appendInterpolation(_ text: String) { source += Markup.escaped(text) }

    public mutating func appendInterpolation(_ markup: Markup) { source += markup.source }

    public mutating func appendInterpolation(_ number: Int) { source += String(number) }

    /// A coordinate, to a hundredth.
    public mutating func appendInterpolation(_ coordinate: Double) {
      source += Markup.coordinate(coordinate)
    }
  }

  /// Appends markup.
  public static func += (left: inout Markup, right: Markup) { left.source += right.source }

  /// `text` without what XML gives a meaning to; characters that XML does not allow become U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
      case "\u{0}"..<" ", "\u{7f}"..<"\u{a0}", "\u{fffe}", "\u{ffff}": result += "\u{fffd}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A number with at most two decimal places.
  static func coordinate(_ value: Double) -> String {
    var text = fixed(value, 2)
    guard text.contains(".") else { return text }
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text
  }
}
