import Architectures
import Foundations
import Pipeline
import Reporting
import StrictJSON
import Verification

extension ReportSubject {
  /// How the text's tokens spread over the experts.
  func expertPart() throws -> ReportPart {
    let title = "Expert load"
    guard model.layers.contains(where: { $0.feedForward != .dense }) else {
      return .absent(
        "experts", title,
        "The model has no experts: <code>spikingbrain upcycle CKPT OUT</code> makes some.")
    }
    guard !tokens.isEmpty else {
      return .absent(
        "experts", title,
        "Needs a text: <code>spikingbrain report CKPT --text FILE</code> counts who gets its tokens."
      )
    }
    let load = try ExpertLoad(of: runnable(), on: tokens, context: context)
    let map = HeatMap(
      "Share of tokens sent to each expert, by layer", rowLabel: "layer",
      columnLabel: "routed expert", load.layers.map { ("\($0.layer)", $0.shares) })
    let rows = load.layers.map { layer in
      [
        "\(layer.layer)", "\(fixed(100 * (layer.shares.min() ?? 0), 1))%",
        "\(fixed(100 * (layer.shares.max() ?? 0), 1))%", fixed(layer.evenness, 3),
        "\(layer.unused.count)", fixed(layer.probability, 3),
      ]
    }
    return ReportPart(
      section: Section(
        "experts", title,
        [
          .figure(
            Figure(
              "experts", map.drawing,
              caption: "Percent of a layer's choices that fall on each expert, on \(textWords).")),
          .table(
            Grid(
              ["layer", "least used", "most used", "evenness", "unused", "probability"],
              rows: rows, numbers: [0, 1, 2, 3, 4, 5])),
          .note(
            """
            Evenness: entropy of the shares relative to that of equal ones. Probability: mean over \
            tokens of that of their first expert.
            """),
        ]), json: load.json)
  }
}
