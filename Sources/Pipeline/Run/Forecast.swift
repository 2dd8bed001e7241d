import Foundation
import Foundations
import TensorTypes

/// About how long a piece of work still takes, told once by how long its first units took, and only
/// when that is long.
struct Forecast {
  private var first: (share: Double, time: Date)?
  private var units = 0
  private var isTold = false
  /// Seconds of the last layer of each kind.
  private var layers: [String: Double] = [:]

  /// Seconds that need no words.
  private static let short = 30.0
  /// The first unit also maps pages and fills caches; when it takes so long, that is little of it.
  private static let telling = 10.0

  /// `about 3 min left` when `share` of the work, in time, is done at `time`; nil when that cannot be
  /// said yet, is not worth it, or has been said. Called where the work begins and after each unit.
  mutating func left(after share: Double, at time: Date = Date()) -> String? {
    let passed = first.map { time.timeIntervalSince($0.time) } ?? 0
    guard let first, units > 0 || passed >= Self.telling else {
      if first != nil { units += 1 }
      first = (share, time)
      return nil
    }
    guard share > first.share, passed > 1 else { return nil }
    return told(passed * (1 - share) / (share - first.share))
  }

  /// The same of a sweep in which `seconds` were spent in a layer; `kinds` are those of all layers, of
  /// which each takes its own time.
  mutating func left(after layer: Int, of kinds: [String], seconds: Double) -> String? {
    units += 1
    layers[kinds[layer]] = seconds
    let rest = kinds.dropFirst(layer + 1).map { layers[$0] }
    guard units > 1 || seconds >= Self.telling, !rest.contains(nil) else { return nil }
    return told(rest.compactMap(\.self).reduce(0, +))
  }

  private mutating func told(_ seconds: Double) -> String? {
    guard !isTold, seconds >= Self.short else { return nil }
    isTold = true
    return "about \(roughly(seconds)) left"
  }
}

/// `40 s`, `3 min`, `1.5 h`: no more digits than a forecast has.
private func roughly(_ seconds: Double) -> String {
  if seconds < 95 { return "\(Int((seconds / 10).rounded()) * 10) s" }
  if seconds < 5400 { return "\(Int((seconds / 60).rounded())) min" }
  return "\(fixed(seconds / 3600, 1)) h"
}
