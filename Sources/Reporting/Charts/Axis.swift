import Foundation
import Foundations

/// One axis of a chart: what it shows, its range, and where its ticks are.
public struct Axis: Sendable, Hashable {
  /// What the axis shows, with its unit.
  public var label: String
  /// How values are spread.
  public let scale: Scale
  /// The values at both ends.
  public let range: ClosedRange<Double>
  /// Where there is a mark with a number, ascending.
  public let ticks: [Double]
  private let decimals: Int

  /// How values are spread along an axis.
  public enum Scale: Sendable, Hashable {
    case linear, logarithmic
  }

  /// Values beyond have no place: differences of them might not be finite.
  private static let largest = 1e300

  /// An axis that shows all of `values`; what is not finite, or not positive on a logarithmic axis,
  /// is left out.
  ///
  /// - Parameters:
  ///   - isExact: whether the axis ends with the values instead of at ticks.
  ///   - wholeNumbers: whether ticks are whole numbers.
  ///   - most: about how many ticks there may be.
  public init(
    _ label: String, covering values: [Double], scale: Scale = .linear, isExact: Bool = false,
    wholeNumbers: Bool = false, most: Int = 6
  ) {
    let usable = values.filter { abs($0) < Self.largest && (scale == .linear || $0 > 0) }
    let low = usable.min() ?? (scale == .linear ? 0 : 1), high = usable.max() ?? low
    self.label = label
    self.scale = scale
    switch scale {
    case .linear:
      let step = Self.step(from: low, to: high, most: most, wholeNumbers: wholeNumbers)
      var first = (low / step).rounded(isExact ? .up : .down)
      var last = (high / step).rounded(isExact ? .down : .up)
      if first == last, !isExact { (first, last) = (first - 1, last + 1) }
      ticks = first <= last ? (0...Int(last - first)).map { (first + Double($0)) * step } : []
      range = isExact && low < high ? low...high : min(first * step, low)...max(last * step, high)
      decimals = max(0, -Int(log10(step).rounded(.down)))
    case .logarithmic:
      let first = Int(log10(low).rounded(.down))
      let last = max(first + 1, Int(log10(high).rounded(.up)))
      let decades = last - first
      let every = max(1, (decades + most - 1) / most)
      range = isExact && low < high ? low...high : pow(10, Double(first))...pow(10, Double(last))
      let shown = range
      let factors = log10(shown.upperBound / shown.lowerBound) < 2.5 ? [1.0, 2, 5] : [1]
      ticks = stride(from: first, through: last, by: every).flatMap { decade in
        factors.map { $0 * pow(10, Double(decade)) }
      }.filter { $0 >= shown.lowerBound * 0.999 && $0 <= shown.upperBound * 1.001 }
      decimals = 0
    }
  }

  /// The least of 1, 2 and 5 times a power of ten that leaves at most `most` steps.
  private static func step(
    from low: Double, to high: Double, most: Int, wholeNumbers: Bool
  ) -> Double {
    let span = max(high - low, max(abs(low), abs(high)) * 1e-6, 1e-9)
    let power = pow(10, log10(span / Double(most)).rounded(.down))
    let step = [1.0, 2, 5, 10].lazy.map { $0 * power }.first { span / $0 <= Double(most) }
    return max(step ?? 10 * power, wholeNumbers ? 1 : 0)
  }

  /// How far along the axis `value` is, 0 to 1; nil when it is outside or has no place.
  func position(_ value: Double) -> Double? {
    guard value.isFinite, range.contains(value) || isEnd(value) else { return nil }
    if scale == .linear {
      return (value - range.lowerBound) / max(range.upperBound - range.lowerBound, .ulpOfOne)
    }
    return log(value / range.lowerBound) / log(range.upperBound / range.lowerBound)
  }

  /// Whether `value` is an end of the range but for rounding.
  private func isEnd(_ value: Double) -> Bool {
    [range.lowerBound, range.upperBound].contains { abs($0 - value) <= 1e-9 * abs($0) }
  }

  /// The number at a tick.
  func text(_ tick: Double) -> String {
    if scale == .linear { return fixed(tick, decimals).replacing("-", with: "−") }
    let exponent = Int(log10(tick).rounded(.down))
    if (-3...4).contains(exponent) { return fixed(tick, max(0, -exponent)) }
    let digits: [Character] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]
    let raised = String(abs(exponent)).compactMap(\.wholeNumberValue).map { digits[$0] }
    return "10" + (exponent < 0 ? "⁻" : "") + String(raised)
  }
}
