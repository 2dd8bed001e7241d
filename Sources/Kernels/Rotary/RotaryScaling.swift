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
  /// One divisor per frequency [d/2] (GGUF `rope_freqs.weight`).
  case divisors([Float])

  /// The scaled inverse frequencies.
  ///
  /// Every operation is rounded to float32 in the order transformers uses, because an error of
  /// one unit in the last place grows with the position.
  func apply(to frequencies: [Float]) -> [Float] {
    switch self {
    case .none: return frequencies
    case .linear(let factor): return frequencies.map { $0 / factor }
    case .divisors(let divisors):
      precondition(divisors.count == frequencies.count)
      return zip(frequencies, divisors).map { $0 / $1 }
    case .llama3(let factor, let low, let high, let context):
      let longest = Float(Double(context) / Double(low))
      let shortest = Float(Double(context) / Double(high))
      return frequencies.map { frequency in
        let wavelength = Float(2 * Double.pi) / frequency
        if wavelength > longest { return frequency / factor }
        if wavelength < shortest { return frequency }
        let smooth = (Float(context) / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
      }
    }
  }
}
