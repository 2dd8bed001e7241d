/// A token of a chat template: text to print, or part of a `{{ … }}` or `{% … %}` tag.
struct TemplateToken: Equatable {
  enum Kind: Equatable {
    case text(String)
    case outputStart, outputEnd, blockStart, blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case double(Double)
    case symbol(String)
    case end

    /// The text of a name or a symbol.
    var word: String? {
      switch self {
      case .name(let word), .symbol(let word): word
      default: nil
      }
    }
  }

  var kind: Kind
  var line: Int
}
