/// A finished drawing: SVG elements in a box of some size, in CSS pixels.
public struct Drawing: Sendable, Hashable {
  /// The box's width.
  public var width: Double
  /// The box's height.
  public var height: Double
  /// What it contains, for people who do not see it.
  public var title: String
  var content: Markup

  /// The width of every figure.
  static let width = 720.0

  /// As an element of an HTML page, which brings the style.
  var inline: Markup {
    """
    <svg class="drawing" role="img" viewBox="0 0 \(width) \(height)" \
    aria-label="\(title)">\(content)</svg>
    """
  }

  /// As a file of its own, with its style and a background.
  public var file: String {
    let markup: Markup = """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" class="drawing" width="\(width)" height="\(height)" \
      viewBox="0 0 \(width) \(height)"><title>\(title)</title><style>\(Style.drawing)</style>\
      <rect class="paper" width="\(width)" height="\(height)"/>\(content)</svg>

      """
    return markup.source
  }
}

/// Text in drawings.
enum Lettering {
  /// Height of a line of text.
  static let line = 18.0

  /// About how wide `text` is at 12 px; fonts differ, so it is a little generous.
  static func width(_ text: String) -> Double {
    text.unicodeScalars.reduce(0) { $0 + ($1.value > 0x2e80 ? 12 : 6.6) }
  }

  /// `text` cut to about `width` pixels.
  static func cut(_ text: String, to width: Double) -> String {
    guard Self.width(text) > width else { return text }
    var cut = text
    while !cut.isEmpty, Self.width(cut + "…") > width { cut.removeLast() }
    return cut.isEmpty ? "" : cut + "…"
  }
}
