import Foundations
import Pipeline
import Reporting
import StrictJSON
import Verification

extension ReportSubject {
  /// How well the text is predicted, and how far the predictions are from the source's.
  func textPart(progress: (String) -> Void) throws -> ReportPart {
    let title = "Predictions of the text"
    guard !tokens.isEmpty else {
      return .absent(
        "text", title,
        """
        Needs a text: <code>report --text FILE</code> measures the perplexity, with \
        <code>--teacher SRC</code> the distance from the source too.
        """)
    }
    progress("measuring the perplexity")
    let teacher = teacher
    let own = try Evaluation(of: runnable(), on: tokens, context: context, teacher: teacher)
    let source = try teacher.map { try Evaluation(of: $0, on: tokens, context: context) }
    var facts = [("perplexity", fixed(own.perplexity, 3))]
    var json = JSONObject([("perplexity", .double(own.perplexity))])
    if let source, let kl = own.kl, let top1 = own.top1 {
      let ratio = own.perplexity / source.perplexity
      facts += [
        (
          "the source's",
          "\(fixed(source.perplexity, 3)); this one is \(fixed(ratio, 3)) times that"
        ),
        ("KL from the source", "\(fixed(kl, 4)) nats per token"),
        ("same most likely token", "\(fixed(100 * top1, 1))%"),
      ]
      json["source_perplexity"] = .double(source.perplexity)
      json["kl"] = .double(kl)
      json["top1"] = .double(top1)
    }
    return ReportPart(
      section: Section(
        "text", title,
        [
          .text("Measured on \(textWords), by the rule of <code>evaluate</code>."), .facts(facts),
          .figure(Self.byPosition([("this model", own)] + (source.map { [("source", $0)] } ?? []))),
        ]),
      json: .object(json))
  }

  private static func byPosition(_ evaluations: [(name: String, found: Evaluation)]) -> Figure {
    let series = evaluations.enumerated().map { index, evaluation in
      Series(
        evaluation.name,
        evaluation.found.byPosition.enumerated().map { .init(Double($0.offset), $0.element.nll) },
        mark: index == 0 ? .line : .dashed, color: index)
    }
    let buckets = evaluations[0].found.byPosition.count
    let chart = Chart(
      "Negative log-likelihood by position",
      x: Axis(
        "log2 of the position in the segment", covering: [-0.5, Double(buckets) - 0.5],
        isExact: true, wholeNumbers: true, most: 12),
      y: Axis("nats per token", covering: series.flatMap(\.points).map(\.y)), series)
    return Figure(
      "positions", chart.drawing,
      caption: "Mean over the positions from a power of 2 to the next: the more text, the better.")
  }
}
