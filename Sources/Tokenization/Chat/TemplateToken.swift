/// A token of a chat template: text to print, or part of a `{{ … }}` or `{% … %}` tag.
struct TemplateToken: Equatable {
  enum Kind: Equatable {
    case text(String)
    case outputStart, outputEnd, blockStart, blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case symbol(String)
    case end
  }

  var kind: Kind
  var line: Int
}
