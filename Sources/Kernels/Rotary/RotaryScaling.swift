import Foundation

/// How a model stretches its rotary frequencies to longer contexts.
public enum RotaryScaling: Sendable, Hashable {
  /// As trained.
  case none
  /// All frequencies divided by `factor`.
  case linear(factor: Float)
  /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, a ramp between.
  case llama3(
    factor: Float, lowFrequencyFactor: Float, highFrequencyFactor: Float, originalContext: Int)
  /// YaRN: frequencies that turn less than `slow` times in the original context are divided by
  /// `factor`, those that turn more than `fast` times are kept, a ramp over the channels between.
  case yarn(factor: Double, fast: Double, slow: Double, truncates: Bool, originalContext: Int)
  /// One divisor per frequency [d/2] (GGUF `rope_freqs.weight`).
  case divisors([Float])
  /// One factor per wavelength [d/2] (LongRoPE): what `divisors` does, rounded in another order.
  case wavelengths([Float])

  /// The scaled inverse frequencies for `powers`, which are `theta`^(2i/d).
  ///
  /// Every operation is rounded to float32 in the order transformers uses, because an error of
  /// one unit in the last place grows with the position.
  func frequencies(_ powers: [Float], theta: Double) -> [Float] {
    let plain = powers.map { 1 / $0 }
    switch self {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .divisors(let divisors):
      precondition(divisors.count == plain.count)
      return zip(plain, divisors).map { $0 / $1 }
    case .wavelengths(let factors):
      precondition(factors.count == plain.count)
      return zip(powers, factors).map { 1 / ($1 * $0) }
    case .llama3(let factor, let low, let high, let context):
      let longest = Float(Double(context) / Double(low))
      let shortest = Float(Double(context) / Double(high))
      return plain.map { frequency in
        let wavelength = Float(2 * Double.pi) / frequency
        if wavelength > longest { return frequency / factor }
        if wavelength < shortest { return frequency }
        let smooth = (Float(context) / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
      }
    case .yarn(let factor, let fast, let slow, let truncates, let context):
      let ramp = RotaryScaling.ramp(
        from: fast, to: slow, truncates: truncates, context: context, theta: theta,
        count: powers.count)
      return powers.indices.map { index in
        let kept = 1 - ramp[index]
        let stretched = 1 / (Float(factor) * powers[index])
        return stretched * (1 - kept) + plain[index] * kept
      }
    }
  }

  /// 0 for frequencies that turn more than `fast` times in `context` positions, 1 for those that turn
  /// less than `slow` times, and a straight line over the `count` indices between.
  private static func ramp(
    from fast: Double, to slow: Double, truncates: Bool, context: Int, theta: Double, count: Int
  ) -> [Float] {
    let dimension = Double(2 * count)
    func index(turns: Double) -> Double {
      dimension * log(Double(context) / (turns * 2 * Double.pi)) / (2 * log(theta))
    }
    var first = index(turns: fast), last = index(turns: slow)
    if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
    (first, last) = (max(first, 0), min(last, dimension - 1))
    if first == last { last += 0.001 }
    return (0..<count).map {
      min(max((Float($0) - Float(first)) / Float(last - first), 0), 1)
    }
  }
}
