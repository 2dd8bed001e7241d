/// How pages and drawings look: dark text on white, light on dark screens, always light on paper.
enum Style {
  /// Colours of series on white, told apart by colour-blind eyes too (after Okabe and Ito).
  private static let onWhite = ["#0072b2", "#c2410c", "#00795a", "#9d4a80", "#8a6100", "#3d7fa6"]
  private static let onBlack = ["#5db2e8", "#ff9466", "#3fc79f", "#e39cc7", "#e8b53d", "#9fd3f2"]

  /// How many colours there are; series beyond use them again.
  static let colors = onWhite.count

  private static func colors(_ colors: [String]) -> String {
    colors.enumerated().map { ".f\($0){fill:\($1)}.l\($0){stroke:\($1)}" }.joined()
  }

  /// The rules of drawings. `f` classes fill, `l` classes draw lines.
  static let drawing: Markup = """
    .drawing{color:#1c1e21;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",\
    sans-serif}.drawing text{fill:currentColor}.paper{fill:#fff}\
    .halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}\
    .grid{stroke:currentColor;stroke-opacity:.14;fill:none}\
    .axis{stroke:currentColor;stroke-opacity:.6;fill:none}\
    .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}\
    .quiet{fill-opacity:.75}.small{font-size:10px}.end{text-anchor:end}.mid{text-anchor:middle}\
    \(Markup(stringLiteral: colors(onWhite)))\
    @media screen and (prefers-color-scheme:dark){.drawing{color:#e4e6ea}.paper{fill:#15171a}\
    .halo{stroke:#15171a}\
    \(Markup(stringLiteral: colors(onBlack)))}
    """

  /// The rules of pages.
  static let page: Markup = """
    :root{color-scheme:light dark}\
    body{margin:0 auto;max-width:46rem;padding:2rem 1.25rem 4rem;background:#fff;color:#1c1e21;\
    font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}\
    h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}\
    h2{font-size:1.2rem;margin:2.75rem 0 .5rem;padding-top:.75rem;border-top:1px solid #8884}\
    p{margin:.6rem 0}.note{color:#5b6068}nav{font-size:.9rem;margin:1rem 0 0}nav a{margin-right:1em;\
    white-space:nowrap}a{color:#0072b2}code{font:.88em ui-monospace,"DejaVu Sans Mono",monospace;\
    overflow-wrap:anywhere}.wide{overflow-x:auto;margin:1rem 0}\
    table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}\
    th,td{padding:.28rem 1.1rem .28rem 0;text-align:left;vertical-align:top;\
    border-bottom:1px solid #8883}th{font-weight:600}td.n,th.n{text-align:right}\
    td{overflow-wrap:anywhere;min-width:4rem}figure{margin:1.4rem 0;break-inside:avoid}figure svg{display:block;width:100%;height:auto}\
    figcaption{font-size:.88rem;color:#5b6068;margin-top:.35rem}\
    @media screen and (prefers-color-scheme:dark){body{background:#15171a;color:#e4e6ea}\
    .note,figcaption{color:#a3a9b3}a{color:#5db2e8}}\
    @media print{body{max-width:none;padding:0;font-size:10.5pt}nav{display:none}\
    h2{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}}
    """
}
