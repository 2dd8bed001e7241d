import Architectures
import Foundations
import Pipeline
import Reporting
import Spiking
import StrictJSON
import Verification

extension ReportSubject {
  /// The k of the report's table 11, its sparsities there, and its average accuracies.
  private static let reported: [(k: Double, sparsity: Double, accuracy: Double)] = [
    (2, 0.730, 0.6735), (2.5, 0.709, 0.6807), (3, 0.692, 0.6875), (3.5, 0.677, 0.6898),
    (4, 0.664, 0.6940),
  ]
  private static let reportedUnspiked = 0.6998

  /// One way to spike the model, and what it costs.
  private struct Trial {
    var name: String
    var sparsity: Double
    var spikes: Double
    var silent: Double
    var small: Double
    var perplexity: Double
  }

  /// Perplexity against sparsity (beside the report's table 11).
  func perplexityPart(progress: (String) -> Void) throws -> ReportPart {
    let title = "Perplexity against sparsity"
    guard let spiking = model.spiking, !tokens.isEmpty,
      model.spikingSites.contains(where: { spiking[$0] != nil })
    else {
      return .absent(
        "perplexity", title,
        """
        Needs a spiked checkpoint and a text: <code>spikingbrain calibrate</code> makes the one, \
        <code>report --text FILE</code> measures both.
        """)
    }
    progress("measuring, unspiked")
    let unspiked = try Evaluation(of: runnable(spiking: .some(nil)), on: tokens, context: context)
      .perplexity
    let trials = try Self.reported.map { entry in
      progress("measuring, k = \(fixed(entry.k, 1))")
      return try trial("k = \(fixed(entry.k, 1))", spiking.uniform(entry.k))
    }
    // One k everywhere is what was measured already.
    let uniform = Self.reported.firstIndex { spiking == spiking.uniform($0.k) }
    if uniform == nil { progress("measuring, as calibrated") }
    let own = try uniform.map { trials[$0] } ?? trial("as calibrated", spiking)
    let all = uniform == nil ? trials + [own] : trials
    return ReportPart(
      section: Section(
        "perplexity", title,
        [
          .text(
            """
            Measured on \(textWords): once as if it had not been calibrated (perplexity \
            \(fixed(unspiked, 3)); INT8 weights stay), with one k for all projections that the checkpoint spikes, and with its own. Winners, rotated \
            queries and the cache of keys and values are the checkpoint's whenever it is spiked. Sparsity is own-length.
            """),
          .figure(Self.figure(trials, own, unspiked)),
          .table(Self.table(all, unspiked)), .figure(Self.reportedFigure),
        ]),
      json: [
        "tokens": .int(tokens.count), "context": .int(context), "unspiked": .double(unspiked),
        "trials": .array(
          all.map {
            [
              "name": .string($0.name), "perplexity": .double($0.perplexity),
              "sparsity_own_length": .double($0.sparsity), "silent_share": .double($0.silent),
              "share_up_to_7": .double($0.small), "spikes_per_channel": .double($0.spikes),
            ]
          }),
      ])
  }

  private func trial(_ name: String, _ spiking: SpikingSettings) throws -> Trial {
    let counter = SpikeCounter(spiking)
    let perplexity = try Evaluation(
      of: runnable(spiking: spiking, observer: counter), on: tokens, context: context
    ).perplexity
    let counts = counter.statistics
    return Trial(
      name: name, sparsity: counts.sparsity(.ownLength), spikes: counts.spikesPerChannel(.bitwise),
      silent: counts.silentShare, small: counts.share(upTo: 7), perplexity: perplexity)
  }

  private static func figure(_ trials: [Trial], _ own: Trial, _ unspiked: Double) -> Figure {
    func increase(_ trial: Trial) -> Double { 100 * (trial.perplexity / unspiked - 1) }
    let all = trials + [own]
    let chart = Chart(
      "Increase of the perplexity against sparsity",
      x: Axis("sparsity (own-length)", covering: all.map(\.sparsity)),
      y: Axis("perplexity increase, %", covering: all.map(increase) + [0]),
      [
        Series(
          "one k everywhere", trials.map { .init($0.sparsity, increase($0), label: $0.name) }),
        Series("as calibrated", [.init(own.sparsity, increase(own))], mark: .dots, color: 1),
      ])
    return Figure(
      "perplexity", chart.drawing,
      caption: "What spiking costs on this text, relative to the same model not calibrated.")
  }

  private static func table(_ trials: [Trial], _ unspiked: Double) -> Grid {
    Grid(
      [
        "", "sparsity", "silent", "spikes per channel", "|s| ≤ 7", "perplexity", "increase",
      ],
      rows: trials.map {
        let increase = 100 * ($0.perplexity / unspiked - 1)
        return [
          $0.name, "\(fixed(100 * $0.sparsity, 1))%", "\(fixed(100 * $0.silent, 1))%",
          fixed($0.spikes, 3), "\(fixed(100 * $0.small, 1))%", fixed($0.perplexity, 3),
          "\(increase < 0 ? "" : "+")\(fixed(increase, 2))%",
        ]
      }, numbers: [1, 2, 3, 4, 5, 6])
  }

  private static var reportedFigure: Figure {
    let chart = Chart(
      "Average accuracy against sparsity in the SpikingBrain report",
      x: Axis("sparsity (the report's)", covering: reported.map(\.sparsity)),
      y: Axis("average accuracy", covering: reported.map(\.accuracy) + [reportedUnspiked]),
      [
        Series(
          "SpikingBrain-7B, report, table 11",
          reported.map { .init($0.sparsity, $0.accuracy, label: "k = \(fixed($0.k, 1))") },
          color: 2),
        Series(
          "BF16, not spiked",
          [reported[4].sparsity, reported[0].sparsity].map { .init($0, reportedUnspiked) },
          mark: .dashed, color: 2),
      ])
    return Figure(
      "report-accuracy", chart.drawing,
      caption: """
        For comparison, not on the same scale: the report gives accuracies of another model on \
        benchmarks, and a sparsity that follows from none of its stated definitions.
        """)
  }
}

extension SpikingSettings {
  /// The same places spiked, projections all at `k`.
  fileprivate func uniform(_ k: Double) -> SpikingSettings {
    var copy = self
    for index in copy.layers.indices { copy.layers[index].setAll(k) }
    return copy
  }
}

extension SpikingSettings.Layer {
  fileprivate mutating func setAll(_ k: Double) {
    func changed(_ thresholds: SpikingSettings.Thresholds) -> SpikingSettings.Thresholds {
      var copy = thresholds
      for projection in copy.spiked where projection != .rotatedQuery { copy[projection] = k }
      return copy
    }
    thresholds = changed(thresholds)
    experts = experts.map { $0.map(changed) }
    sharedExpert = sharedExpert.map(changed)
  }
}
