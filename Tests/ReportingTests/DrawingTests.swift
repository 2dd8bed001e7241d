import Foundation
import FoundationXML
import Testing

@testable import Reporting

/// Drawings and pages are well-formed XML, whatever they are given.
struct DrawingTests {
  private static let hostile = "]]><script>alert(1)</script>&\"'\u{0}"

  /// The elements of a document with their attributes; nil when it is malformed.
  private func elements(_ text: String) -> [(name: String, attributes: [String: String])]? {
    let reader = ElementReader(), parser = XMLParser(data: Data(text.utf8))
    parser.delegate = reader
    return parser.parse() ? reader.elements : nil
  }

  private final class ElementReader: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) { elements.append((name, attributes)) }
  }

  private var chart: Chart {
    let values = [0.1, .nan, 0.4, .infinity, 0.9]
    let points = values.enumerated().map {
      Series.Point(Double($0), $1, label: $0 == 0 ? Self.hostile : nil)
    }
    return Chart(
      Self.hostile, x: Axis(Self.hostile, covering: [0, 4]),
      y: Axis("y", covering: values, scale: .logarithmic),
      [
        Series(Self.hostile, points), Series("dashed", points, mark: .dashed, color: 1),
        Series("dots", points, mark: .dots, color: 7), Series("bars", points, mark: .bars),
        Series("nothing", []),
      ])
  }

  private var raster: Raster {
    Raster(
      Self.hostile, rows: 2, timeLabel: "steps",
      [
        .init(Self.hostile, steps: 3, spikes: [0, 1, -1, 0, 0, 0]), .init("", steps: 0, spikes: []),
      ])
  }

  private var map: HeatMap {
    HeatMap(
      Self.hostile, rowLabel: "layer", columnLabel: "expert",
      [(Self.hostile, [0, 0.25, 0.75]), ("1", [])])
  }

  @Test func `drawings are well-formed, and nothing in them is hostile`() throws {
    for drawing in [chart.drawing, raster.drawing, map.drawing] {
      let found = try #require(elements(drawing.file), "\(drawing.file)")
      #expect(found.first?.name == "svg")
      #expect(!found.contains { $0.name == "script" })
      #expect(!drawing.file.contains("nan") && !drawing.file.contains("inf\""))
    }
    let nothing = Chart(
      "", x: Axis("", covering: []), y: Axis("", covering: [], scale: .logarithmic), [])
    #expect(elements(nothing.drawing.file) != nil)
    #expect(elements(Raster("", rows: 0, timeLabel: "", []).drawing.file) != nil)
    #expect(elements(HeatMap("", rowLabel: "", columnLabel: "", []).drawing.file) != nil)
  }

  @Test func `a line is interrupted where there is no value`() throws {
    let line = try #require(
      elements(chart.drawing.file)?.first {
        $0.name == "path"
          && $0.attributes["class"] == "line l0" && $0.attributes["d"]?.contains("h17") == false
      })
    #expect(line.attributes["d"]?.count { $0 == "M" } == 3)
  }

  @Test func `a raster has a mark for every spike`() throws {
    let paths = try #require(elements(raster.drawing.file)).filter { $0.name == "path" }
    func marks(_ style: String) -> Int? {
      paths.last { $0.attributes["class"] == style }?.attributes["d"]?.count { $0 == "M" }
    }
    #expect(marks("f0") == 1)
    #expect(marks("f1") == 1)
  }

  @Test func `a page needs nothing beside it`() throws {
    let page = Page(
      Self.hostile, introduction: "\(Self.hostile)",
      [
        Section(
          "first", Self.hostile,
          [
            .text("\(Self.hostile)"), .note("<code>\(Self.hostile)</code>"),
            .facts([(Self.hostile, Self.hostile)]),
            .table(Grid(["", Self.hostile], rows: [[Self.hostile, "1"]], numbers: [1])),
            .figure(Figure("chart", chart.drawing, caption: "\(Self.hostile)")),
          ])
      ])
    let found = try #require(elements(page.html), "\(page.html)")
    #expect(!found.contains { ["script", "link", "img", "iframe", "object"].contains($0.name) })
    for (name, attributes) in found {
      #expect(attributes["src"] == nil && !attributes.keys.contains { $0.hasPrefix("on") })
      if let link = attributes["href"] { #expect(link.hasPrefix("#"), "\(name)") }
    }
    #expect(!page.html.contains("url(") && !page.html.contains("@import"))
    #expect(page.html.contains("default-src 'none'"))
    #expect(page.figures.map(\.name) == ["chart"])
  }

  @Test func `long names are cut to their place`() {
    #expect(Lettering.cut("token", to: 100) == "token")
    #expect(Lettering.cut("international", to: 50) == "intern…")
    #expect(Lettering.cut("international", to: 3) == "")
  }
}
