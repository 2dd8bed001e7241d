import Architectures
import Foundations
import Kernels
import ModelFiles
import Pipeline
import Reporting
import Runtime
import Spiking
import StrictJSON
import Tokenization

extension ReportSubject {
  /// Neurons, tokens, and tokens read before them, of a raster.
  private static let neurons = 32, shownTokens = 8, readTokens = 64
  /// Steps of a token in a coding with one spike per unit; larger counts are cut in the drawing.
  private static let mostSteps = 32

  /// Spikes of some neurons over time, in each coding (the report's figure 10).
  func rasterPart() throws -> ReportPart {
    let title = "Spikes over time"
    guard !tokens.isEmpty else {
      return .absent(
        "raster", title,
        "Needs a text: <code>spikingbrain report CKPT --text FILE</code> draws what its tokens cause."
      )
    }
    let layer = model.layers.count / 2
    let site = SpikingSite(layer: layer, .query)
    let k = model.spiking?[site] ?? 3
    let read = Array(tokens.prefix(Self.readTokens))
    var counts: [[Int32]] = []
    let observer = SiteObserver(site) { input in
      counts += Self.counts(input, k: k, neurons: Self.neurons)
    }
    let running = try runnable(observer: observer)
    var state = DecodingState(for: running.description)
    _ = try running.extend(&state, with: read)
    let shown = Array(counts.suffix(min(Self.shownTokens, read.count)))
    let tokenizer = try file.tokenizer.load()
    let labels = read.suffix(shown.count).map { Self.visible(tokenizer.decode([$0])) }

    let codings: [SpikeCoding] = [.binary, .ternary, .bitwise, .twosComplement, .signedDigit]
    let figures = try codings.map { coding in
      try figure(of: coding, counts: shown, labels: labels, site: site)
    }
    let isSpiked = model.spiking?[site] != nil
    let introduction: Markup = """
      \(Self.neurons) neurons, spread evenly over what \(site.name) reads, for the last \
      \(shown.count) of the first \(read.count) tokens, k = \(fixed(k, 2))\
      \(isSpiked ? "" : " (the checkpoint is not spiked; this is the report's k)"). Each token takes \
      as many steps as the largest of these counts needs, the most significant first.
      """
    return ReportPart(
      section: Section("raster", title, [.text(introduction)] + figures.map { .figure($0.figure) }),
      json: [
        "site": .string(site.name), "k": .double(k), "neurons": .int(Self.neurons),
        "tokens": .int(shown.count),
        "spikes": .object(
          JSONObject(zip(codings, figures).map { ($0.rawValue, .int($1.spikes)) })),
      ])
  }

  private func figure(
    of coding: SpikeCoding, counts: [[Int32]], labels: [String], site: SpikingSite
  ) throws -> (figure: Figure, spikes: Int) {
    var isCut = false
    let sent = counts.map { row in
      row.map { count -> Int32 in
        let magnitude = Int32(clamping: count.magnitude)
        let limit = coding.isUnary ? min(magnitude, Int32(Self.mostSteps)) : magnitude
        if limit < magnitude { isCut = true }
        return count < 0 && coding.isSigned ? -limit : limit
      }
    }
    let steps = sent.flatMap(\.self).map(coding.steps).max() ?? 0
    let trains = try sent.map { try SpikeTrain($0, by: coding, steps: steps) }
    let raster = Raster(
      "Spikes of \(site.name) in \(coding.rawValue) coding", rows: sent.first?.count ?? 0,
      timeLabel: "virtual time steps, \(steps) per token",
      zip(labels, trains).map { .init($0, steps: steps, spikes: $1.spikes) })
    let spikes = trains.reduce(0) { $0 + $1.spikeCount }
    let cells = steps * trains.reduce(0) { $0 + $1.channels }
    var caption: Markup = """
      <b>\(coding.title).</b> \(spikes) spikes in \(cells) cells \
      (\(fixed(100 * Double(spikes) / Double(max(cells, 1)), 1))%)
      """
    if !coding.isSigned { caption += "; of magnitudes, as this coding has no sign" }
    if isCut { caption += "; counts beyond \(Self.mostSteps) are cut in this drawing" }
    caption += "."
    return (Figure("raster-\(coding.rawValue)", raster.drawing, caption: caption), spikes)
  }

  /// The counts of some neurons, spread evenly, row by row.
  private static func counts(_ input: FloatMatrix, k: Double, neurons: Int) -> [[Int32]] {
    let spikes = SpikeMatrix(input, k: Float(k))
    if spikes.outside > 0 { return [] }
    let some = min(neurons, input.columns)
    return (0..<input.rows).map { row in
      (0..<some).map { spikes.counts[row * input.columns + $0 * input.columns / some] }
    }
  }

  /// A token's text with its spaces to be seen.
  private static func visible(_ piece: String) -> String {
    String(piece.map { $0 == " " ? "␣" : $0.isNewline ? "⏎" : $0 })
  }
}

extension SpikeCoding {
  /// The coding's name for people.
  var title: String {
    switch self {
    case .binary: "Binary"
    case .ternary: "Ternary"
    case .bitwiseUnsigned: "Bitwise, unsigned"
    case .bitwise: "Bitwise, with the count’s sign"
    case .twosComplement: "Two’s complement"
    case .signedDigit: "Signed digits"
    }
  }
}
