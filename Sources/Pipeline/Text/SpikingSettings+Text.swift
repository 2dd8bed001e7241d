import Architectures

extension SpikingSettings {
  /// The settings in words: `k 3.0, rotated queries 3.0, winners 0.1, INT8 keys and values`.
  var text: String {
    let parts = [
      thresholds { $0 != .rotatedQuery }.map { "k \($0)" },
      thresholds { $0 == .rotatedQuery }.map { "rotated queries \($0)" },
      winners.map { "winners \($0)" },
      cache == .int8 ? "INT8 keys and values" : nil,
    ]
    return parts.compactMap(\.self).joined(separator: ", ")
  }

  /// The k of the layers' chosen projections, `2.5 to 4.0` when they differ; nil when none has one.
  func thresholds(of chosen: (Projection) -> Bool) -> String? {
    let ks = layers.flatMap { layer in
      layer.thresholds.spiked.filter(chosen).compactMap { layer.thresholds[$0] }
    }
    guard let least = ks.min(), let most = ks.max() else { return nil }
    return least == most ? "\(least)" : "\(least) to \(most)"
  }
}
