/// One HTML page that needs nothing beside it and runs no script; well-formed XML too.
public struct Page: Sendable {
  var title: String
  var introduction: Markup
  /// The sections, in order.
  public var sections: [Section]

  /// A page.
  public init(_ title: String, introduction: Markup, _ sections: [Section]) {
    self.title = title
    self.introduction = introduction
    self.sections = sections
  }

  /// All figures.
  public var figures: [Figure] { sections.flatMap(\.figures) }

  /// The page's text. Its policy forbids whatever is not in it.
  public var html: String {
    let links = sections.map { "<a href=\"#\($0.id)\">\($0.title)</a>" as Markup }
    let markup: Markup = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
      style-src 'unsafe-inline'"/>
      <title>\(title)</title>
      <style>\(Style.page)\(Style.drawing)</style>
      </head>
      <body>
      <h1>\(title)</h1>
      <p>\(introduction)</p>
      <nav>\(Markup(links, separator: " "))</nav>
      \(Markup(sections.map(\.markup)))</body>
      </html>

      """
    return markup.source
  }
}
