import Architectures
import Foundations
import Pipeline
import Reporting
import Spiking
import StrictJSON

extension ReportSubject {
  /// Counts beyond this magnitude share the outermost bars.
  private static let widest = 32
  private static let noCalibration: Markup = """
    No calibration.h5 in the checkpoint: <code>spikingbrain calibrate CKPT OUT --text FILE</code> \
    measures it.
    """

  /// How often each count occurs (the report's figure 9).
  var countPart: ReportPart {
    let title = "Spike counts"
    guard let total = calibration?.statistics(), total.channels > 0 else {
      return .absent("counts", title, Self.noCalibration)
    }
    var shares: [Int: Double] = [:]
    for (count, times) in total.occurrences {
      let place = min(max(Int(count), -Self.widest - 1), Self.widest + 1)
      shares[place, default: 0] += Double(times) / Double(total.channels)
    }
    let chart = Chart(
      "How often each spike count occurs",
      x: Axis(
        "spike count s", covering: [-Double(Self.widest) - 2, Double(Self.widest) + 2],
        isExact: true, most: 10),
      y: Axis(
        "share of channels", covering: shares.values + [(shares.values.min() ?? 1) / 2],
        scale: .logarithmic),
      [
        Series(
          "", shares.sorted { $0.key < $1.key }.map { .init(Double($0.key), $0.value) },
          mark: .bars)
      ])
    let figure = Figure(
      "counts", chart.drawing,
      caption: """
        \(count(total.channels)) channels of all projection inputs of the calibration text; the outermost \
        bars hold all counts beyond ±\(Self.widest).
        """)
    return ReportPart(
      section: Section("counts", title, [.figure(figure), .table(Self.figures(of: total))]),
      json: Self.json(total))
  }

  /// The figures of some counts, beside those the report gives at k = 3.
  private static func figures(of counts: SpikeStatistics) -> Grid {
    func percent(_ share: Double) -> String { "\(fixed(100 * share, 2))%" }
    var rows = [
      ["silent channels (s = 0)", percent(counts.silentShare), "18.4%"],
      ["|s| ≤ 7", percent(counts.share(upTo: 7)), "94.1%"],
      ["|s| > 16", percent(1 - counts.share(upTo: 16)), "about 1%"],
      ["largest |s|", "\(counts.maximum)", ""],
    ]
    for coding in SpikeCoding.allCases where coding != .bitwiseUnsigned {
      rows.append([
        "spikes per channel, \(coding.rawValue)", fixed(counts.spikesPerChannel(coding), 3),
        coding == .bitwise ? "1.13" : "",
      ])
    }
    for definition in Sparsity.allCases {
      rows.append([
        "sparsity, \(definition.text)", percent(counts.sparsity(definition)),
        definition == .ownLength ? "69.15%, by no stated definition" : "",
      ])
    }
    return Grid(["", "this model", "report, k = 3"], rows: rows, numbers: [1])
  }

  static func json(_ counts: SpikeStatistics) -> JSONValue {
    [
      "channels": .int(counts.channels), "silent_share": .double(counts.silentShare),
      "share_up_to_7": .double(counts.share(upTo: 7)), "largest_count": .int(counts.maximum),
      "spikes_per_channel": .double(counts.spikesPerChannel(.bitwise)),
      "sparsity_three_steps": .double(counts.sparsity(.threeSteps)),
      "sparsity_own_length": .double(counts.sparsity(.ownLength)),
      "sparsity_fixed": .double(counts.sparsity(.fixed)),
    ]
  }

  /// Sparsity, k and spikes of each layer and group of projections.
  var layerPart: ReportPart {
    let title = "Spikes by layer"
    guard let calibration, !calibration.groups.isEmpty else {
      return .absent("layers", title, Self.noCalibration)
    }
    let groups = SpikeGroup.allCases.filter { group in
      calibration.statistics { $0.group == group }.channels > 0
    }
    func chart(
      _ name: String, _ label: String, caption: String, _ value: (SpikeStatistics) -> Double
    ) -> Section.Block {
      let series = groups.enumerated().map { index, group in
        Series(
          group.title,
          calibration.layers.map { layer in
            let counts = calibration.statistics { $0.layer == layer && $0.group == group }
            return .init(Double(layer), counts.channels > 0 ? value(counts) : .nan)
          }, mark: group.mark, color: index)
      }
      let chart = Chart(
        label + " by layer", x: .layers(model.layers.count),
        y: Axis(label, covering: series.flatMap(\.points).map(\.y)), series)
      return .figure(
        Figure(
          name, chart.drawing, caption: "\(caption), by layer and by what reads the activations."))
    }
    var blocks: [Section.Block] = [.table(Self.groupTable(calibration, groups))]
    blocks.append(
      chart("spikes", "spikes per channel", caption: "Spikes per channel") {
        $0.spikesPerChannel(.bitwise)
      })
    blocks.append(
      chart("sparsity", "sparsity (own-length)", caption: "Sparsity") { $0.sparsity(.ownLength) })
    let ks = Set(calibration.groups.compactMap(\.row.k))
    if ks.count > 1 {
      blocks.append(.figure(Self.thresholds(calibration, groups, depth: model.layers.count)))
    }
    return ReportPart(
      section: Section("layers", title, blocks),
      json: .array(
        calibration.rows.map { row in
          guard case .object(var object) = Self.json(row.statistics) else { return .null }
          object["projection"] = .string(row.site.name)
          object["k"] = row.k.map { .double($0) } ?? .null
          object["relative_error"] = row.relativeError.map { .double($0) } ?? .null
          return .object(object)
        }))
  }

  private static func groupTable(_ record: CalibrationRecord, _ groups: [SpikeGroup]) -> Grid {
    let rows = groups.map { group in
      let counts = record.statistics { $0.group == group }
      let ks = record.groups.filter { $0.site.group == group }.compactMap(\.row.k)
      let (least, most) = (ks.min() ?? .nan, ks.max() ?? .nan)
      return [
        group.title,
        least == most ? fixed(least, 2) : "\(fixed(least, 2)) to \(fixed(most, 2))",
        "\(fixed(100 * counts.silentShare, 1))%", fixed(counts.spikesPerChannel(.bitwise), 3),
        "\(fixed(100 * counts.sparsity(.ownLength), 1))%", "\(counts.maximum)",
      ]
    }
    return Grid(
      ["read by", "k", "silent", "spikes per channel", "sparsity", "largest"], rows: rows,
      numbers: [1, 2, 3, 4, 5])
  }

  private static func thresholds(
    _ record: CalibrationRecord, _ groups: [SpikeGroup], depth: Int
  ) -> Figure {
    let series = groups.enumerated().map { index, group in
      let sites = record.groups.filter { $0.site.group == group }
      // A line breaks at a layer that has no such group.
      let points = (0..<depth).flatMap { layer -> [Series.Point] in
        let ks = sites.filter { $0.site.layer == layer }.map { $0.row.k ?? .nan }
        return (ks.isEmpty ? [.nan] : ks).map { .init(Double(layer), $0) }
      }
      return Series(
        group.title, points,
        mark: record.groups.contains { $0.site.expert != nil } ? .dots : group.mark,
        color: index)
    }
    let chart = Chart(
      "k by layer", x: .layers(depth),
      y: Axis("k", covering: series.flatMap(\.points).map(\.y)), series)
    return Figure("k", chart.drawing, caption: "k: spikes of a channel as large as the mean.")
  }
}

extension SpikeGroup {
  /// The projections that read it.
  var title: String {
    switch self {
    case .attentionInput: "q, k, v"
    case .attentionOutput: "o"
    case .rotatedQuery: "rotated queries"
    case .ffnInput: "gate, up"
    case .ffnHidden: "down"
    }
  }
}

extension SpikeGroup {
  /// Dashes where the line would hide that of attention: both read normed streams.
  fileprivate var mark: Series.Mark { self == .ffnInput ? .dashed : .line }
}

extension Axis {
  /// The layers of a model of `depth` layers.
  static func layers(_ depth: Int) -> Axis {
    Axis(
      "layer", covering: [-0.5, Double(depth) - 0.5], isExact: true, wholeNumbers: true, most: 12)
  }
}
