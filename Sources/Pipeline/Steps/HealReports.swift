import Foundation
import Foundations
import Healing
import Streams
import StrictJSON

extension Healer.LayerReport {
  /// One line for people.
  var line: String {
    var text = "layer \(layer): "
    if let before, let afterRidge, let after {
      text += "error \(fixed(before, 3)) -> \(fixed(afterRidge, 3)) -> \(fixed(after, 3)), "
    }
    if let linearShare { text += "linear branch \(fixed(100 * linearShare, 1)) %, " }
    if let drift, let sink {
      text += "drift \(fixed(drift, 4)), sink \(fixed(sink, 3)), "
      if let massiveTokens, massiveTokens > 0 {
        text += counted(massiveTokens, "more massive token") + ", "
      }
    }
    return text + duration(seconds)
  }
}

extension [Healer.LayerReport] {
  /// Which layers are further from the source than before, in words; nil when none is.
  var worse: String? {
    let worse = filter(\.isWorse)
    guard !worse.isEmpty else { return nil }
    let layers = worse.map { "\($0.layer)" }.joined(separator: ", ")
    return
      "the held-out error of \(counted(worse.count, "layer")) grew (\(layers)): more --tokens or "
      + "a smaller --learning-rate may help"
  }
}

extension Healer.DistillReport {
  /// One line for people.
  var line: String {
    "second stage: \(counted(steps, "step")), held-out divergence \(fixed(before, 4)) -> \(fixed(after, 4)), "
      + (after < before
        ? duration(seconds)
        : "not better, so left out; a smaller --distill-learning-rate may help, "
          + duration(seconds))
  }
}

extension Healer.Estimate {
  /// The prediction in words.
  var text: String {
    var parts = ["\(duration(passes)) for the streams"]
    if solutions > 0 { parts.append("\(duration(solutions)) for closed forms") }
    if steps > 0 {
      parts.append("\(duration(step * Double(steps))) for \(counted(steps, "step")) in each layer")
    }
    if distillSteps > 0 {
      parts.append(
        "\(duration(distillation)) for \(counted(distillSteps, "step")) of the second stage")
    }
    return "predicted: \(duration(seconds)) (\(parts.joined(separator: ", ")))"
  }
}
