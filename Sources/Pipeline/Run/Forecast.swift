import Communication
import Foundations
import ModelFiles
import Streams
import StrictJSON

/// About how long something will take, from timing a layer of each kind before it starts.
struct PredictedTime {
  let seconds: Double
  /// What is not in it.
  private let besides: String?

  /// The time that all processes together need for `work`, in tokens through a layer of `file`; the
  /// layers are timed on `tokens`.
  init(
    work: Double, of file: ModelFile, on tokens: [Int], _ context: Context, besides: String? = nil
  ) throws {
    self.besides = besides
    guard work > 0 else {
      seconds = 0
      return
    }
    let model = DescribedModel(file.description, weights: file)
    seconds =
      work * (try LayerSpeed(of: model, on: tokens).secondsPerToken) / Double(context.ranks.size)
  }

  /// In words; nil when it is not worth one.
  var text: String? {
    guard seconds >= 5 else { return nil }
    return "predicted: about \(roughly(seconds))" + (besides.map { ", without \($0)" } ?? "")
  }

  /// For a dry run.
  var report: Report {
    Report(json: ["predicted_seconds": .double(seconds)], text: text ?? "")
  }
}

extension Context {
  /// Says how long something will take, if that is long.
  func predict(_ time: () throws -> PredictedTime) throws {
    guard ranks.isFirst, let text = try time().text else { return }
    note(text)
  }
}

/// About how long a sweep through layers still takes, told once by how long its first ones took.
struct Forecast {
  private var units = 0
  private var isTold = false
  /// Seconds of the last layer of each kind.
  private var layers: [String: Double] = [:]

  /// Seconds that need no words.
  private static let short = 30.0
  /// The first layer also maps pages and fills caches; when it takes so long, that is little of it.
  private static let telling = 10.0

  /// `about 3 min left` after `layer`, which took `seconds`; nil when that cannot be said yet, is not
  /// worth it, or has been said. `kinds` are those of all layers, of which each takes its own time.
  mutating func left(after layer: Int, of kinds: [String], seconds: Double) -> String? {
    units += 1
    layers[kinds[layer]] = seconds
    let rest = kinds.dropFirst(layer + 1).map { layers[$0] }
    guard !isTold, units > 1 || seconds >= Self.telling, !rest.contains(nil) else { return nil }
    let left = rest.compactMap(\.self).reduce(0, +)
    guard left >= Self.short else { return nil }
    isTold = true
    return "about \(roughly(left)) left"
  }
}

/// `40 s`, `3 min`, `1.5 h`: no more digits than a forecast has.
private func roughly(_ seconds: Double) -> String {
  if seconds < 95 { return "\(Int((seconds / 10).rounded(.up)) * 10) s" }
  if seconds < 5400 { return "\(Int((seconds / 60).rounded())) min" }
  return "\(fixed(seconds / 3600, 1)) h"
}
