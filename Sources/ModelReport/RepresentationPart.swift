import Architectures
import Foundations
import Pipeline
import Reporting
import Spiking
import StrictJSON

extension ReportSubject {
  /// Share of neurons in a sparse distributed representation.
  private static let winners = 0.02
  /// Largest share of false matches with which a union counts as usable.
  private static let tolerance = 0.01

  /// Sparse distributed representations of the text in one layer, as a side channel, beside spikes.
  func representationPart(
    layer: Int?, progress: @escaping (Double) -> Void
  ) throws -> ReportPart {
    let title = "Sparse distributed representations"
    guard let layer else {
      return .absent(
        "sdr", title,
        """
        Not asked for: <code>spikingbrain report CKPT --text FILE --sdr LAYER</code> compares k-winners \
        with spikes in a layer.
        """)
    }
    let site = PatternStudy.site(ofLayer: layer, of: model)
    let k = model.spiking?[site] ?? 3
    let study = try PatternStudy(
      at: site, codes: [.winners(share: Self.winners), .spiking(k: k), .cells(k: k)],
      tokens: tokens, context: context, progress: progress
    ) { try runnable(observer: $0) }
    let results = zip(["2% winners", "spiking neurons", "spike cells"], study.memories)
      .enumerated().map { CodeResult($1.0, $1.1, color: $0) }
    let capacities = results.map { $0.union.capacity(atMost: Self.tolerance) }
    let neurons = study.memories[0].size
    let isSpiked = model.spiking?[site] != nil
    return ReportPart(
      section: Section(
        "sdr", title,
        [
          .text(
            """
            The \(neurons) activations that \(site.name) reads\(reason(for: site)), for each of \
            \(textWords). <b>2% winners</b>: the \(study.memories[0].patterns[0].activeCount) neurons \
            of largest magnitude. <b>Spiking neurons</b>: those with a count other than 0 at \
            k = \(fixed(k, 2))\(isSpiked ? "" : " (the checkpoint is not spiked)"). <b>Spike cells</b>: \
            spikes in three steps of bitwise coding, counts beyond 7 as 7. Nothing of this enters the \
            forward pass.
            """),
          .table(Self.table(results, capacities)),
          .figure(Self.unionFigure(results)), .figure(Self.overlapFigure(results[0])),
          .text("\(Self.conclusion(results, capacities))"),
          .note(
            """
            A union has the active bits of all its members; a pattern matches when all of its own are \
            among them, and falsely when its token is not a member. Each of the \
            \(results[0].union.candidates) distinct tokens takes part with its first pattern. Chance: \
            random patterns just as dense, (1 − (1 − d)<sup>M</sup>)<sup>w</sup>. Overlap: bits active in \
            both, relative to the pattern with fewer. Noise: Gaussian, \
            \(fixed(100 * PatternStudy.noise, 0))% of the root mean square of a token's activations.
            """),
        ]),
      json: [
        "site": .string(site.name), "neurons": .int(neurons), "k": .double(k),
        "tokens": .int(tokens.count), "codes": .array(results.map(\.json)),
        "conclusion": .string(Self.conclusion(results, capacities)),
      ], text: Self.text(results, capacities))
  }

  private func reason(for site: SpikingSite) -> String {
    site.projection == .ffnDown
      ? " (of the places that see every token, the one with the most neurons)"
      : " (every token passes here, while routed experts see only their own)"
  }

  /// What was found out about one code.
  struct CodeResult {
    let name: String
    let color: Int
    let activeCount: Double
    let density: Double
    let union: UnionTest
    let different: [Double]
    let same: [Double]
    let noisy: [Double]

    init(_ name: String, _ memory: PatternMemory, color: Int) {
      self.name = name
      self.color = color
      activeCount = memory.activeCount
      density = memory.density
      union = UnionTest(memory)
      different = memory.differentTokens
      same = memory.sameToken
      noisy = memory.noisy
    }

    /// Active bits, density, overlaps, and how large unions may be.
    func row(capacity: Int) -> [String] {
      [
        name, fixed(activeCount, 0), "\(fixed(100 * density, 1))%",
        Self.text(different), Self.text(same), Self.text(noisy), "\(capacity)",
      ]
    }

    static let header = [
      "code", "active", "density", "different tokens", "same token", "with noise",
      "union, ≤ 1% false",
    ]

    /// The mean of overlaps.
    private static func text(_ overlaps: [Double]) -> String {
      overlaps.isEmpty ? "none" : "\(fixed(100 * mean(overlaps), 1))%"
    }

    var json: JSONValue {
      [
        "code": .string(name), "active": .double(activeCount), "density": .double(density),
        "overlap_different": .double(mean(different)), "overlap_same": .double(mean(same)),
        "overlap_noise": .double(mean(noisy)),
        "union": .array(
          union.points.map {
            [
              "members": .int($0.members), "false_matches": .double($0.falseMatches),
              "chance": .double($0.expected),
            ]
          }),
      ]
    }
  }

  private static func table(_ results: [CodeResult], _ capacities: [Int]) -> Grid {
    Grid(
      CodeResult.header, rows: zip(results, capacities).map { $0.row(capacity: $1) },
      numbers: [1, 2, 3, 4, 5, 6])
  }

  private static func text(_ results: [CodeResult], _ capacities: [Int]) -> String {
    var table = Table(rightAligned: [1, 2, 3, 4, 5, 6])
    table.add(CodeResult.header)
    for (result, capacity) in zip(results, capacities) { table.add(result.row(capacity: capacity)) }
    var unions = Table(rightAligned: [0, 1, 2, 3])
    unions.add(["union of"] + results.map(\.name))
    for (index, point) in results[0].union.points.enumerated() {
      unions.add(
        ["\(point.members)"]
          + results.map { result in
            result.union.points.indices.contains(index)
              ? "\(fixed(100 * result.union.points[index].falseMatches, 2))%" : ""
          })
    }
    return table.text + "\n\nfalse matches\n" + unions.text + "\n\n"
      + conclusion(results, capacities)
  }

  private static func unionFigure(_ results: [CodeResult]) -> Figure {
    let series = results.flatMap { result in
      [
        Series(
          result.name, result.union.points.map { .init(Double($0.members), $0.falseMatches) },
          color: result.color),
        Series(
          "chance", result.union.points.map { .init(Double($0.members), $0.expected) },
          mark: .dashed, color: result.color),
      ]
    }
    let chart = Chart(
      "False matches against the number of patterns in a union",
      x: Axis(
        "patterns in the union, M", covering: series.flatMap(\.points).map(\.x),
        scale: .logarithmic, isExact: true),
      y: Axis("false matches, share", covering: [0, 1]), series)
    return Figure(
      "sdr-union", chart.drawing,
      caption: """
        How often a pattern that is not in a union seems to be: measured (lines with dots), and for \
        random patterns of the same density (dashes).
        """)
  }

  /// Most bins of overlaps.
  private static let mostBins = 25

  private static func overlapFigure(_ result: CodeResult) -> Figure {
    // One for each number of shared winners, while there are few.
    let bins = min(Self.mostBins, Int(result.activeCount) + 1)
    let kinds = [
      ("different tokens", result.different), ("same token, other context", result.same),
      ("same activations with noise", result.noisy),
    ]
    let series = kinds.enumerated().compactMap { index, kind -> Series? in
      guard !kind.1.isEmpty else { return nil }
      var counts = [Double](repeating: 0, count: bins)
      for overlap in kind.1 { counts[Int((overlap * Double(bins - 1)).rounded())] += 1 }
      let points = counts.enumerated().map { bin, count in
        Series.Point(Double(bin) / Double(bins - 1), count / Double(kind.1.count))
      }
      return Series(kind.0, points, color: [1, 2, 0][index])
    }
    let chart = Chart(
      "Overlaps of sparse distributed representations",
      x: Axis("overlap", covering: [0, 1]),
      y: Axis("share of pairs", covering: series.flatMap(\.points).map(\.y) + [0]), series)
    return Figure(
      "sdr-overlap", chart.drawing,
      caption: "How many of the 2% winners two patterns share.")
  }

  /// What the numbers say of the claim that spikes are too dense for unions.
  /// Fewest patterns in the largest union that a verdict needs.
  private static let fewestMembers = 20

  private static func conclusion(_ results: [CodeResult], _ capacities: [Int]) -> String {
    guard let tested = results[0].union.points.last?.members, tested >= fewestMembers else {
      return "The text has too few distinct tokens for a verdict on unions."
    }
    let verdict =
      switch (capacities[1] < capacities[0], capacities[2] < capacities[0]) {
      case (true, true): "Compared with 2% winners, spike codes are too dense to be unioned"
      case (true, false): "Compared with 2% winners, spiking neurons are too dense to be unioned"
      case (false, true): "Compared with 2% winners, spike cells are too dense to be unioned"
      case (false, false): "Spike codes are no worse in unions than 2% winners here"
      }
    func size(_ capacity: Int) -> String {
      capacity == 0
        ? "not even one pattern"
        : capacity == tested
          ? "\(capacity) patterns, the most tried"
          : "\(capacity) pattern\(capacity == 1 ? "" : "s")"
    }
    return "\(verdict): with at most 1% false matches a union of 2% winners holds "
      + "\(size(capacities[0])), one of spiking neurons (\(fixed(100 * results[1].density, 0))% active) "
      + "\(size(capacities[1])), one of spike cells (\(fixed(100 * results[2].density, 0))%) "
      + "\(size(capacities[2])). Different tokens share \(fixed(100 * mean(results[0].different), 1))% "
      + "of their winners; random ones would share \(fixed(100 * results[0].density, 1))% and a union "
      + "hold \(size(results[0].union.expectedCapacity(atMost: tolerance)))."
  }
}
