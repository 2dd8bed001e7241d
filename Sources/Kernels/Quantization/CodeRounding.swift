import CKernels
public import TensorTypes

/// Integer codes for runs of weights that share a scale.
public struct CodeRounding: Sendable {
  /// What the codes are.
  public let format: WeightCodes
  private let range: ck_code_range

  /// Rounding to codes of a kind.
  public init(_ format: WeightCodes) {
    self.format = format
    range = ck_code_range(
      least: Float(format.range.lowerBound), most: Float(format.range.upperBound))
  }

  /// How the scale of a run is found.
  public enum ScaleChoice: Sendable {
    /// The largest magnitude / the largest code.
    case nearest
    /// The scale with the least squared error found.
    case search
  }

  /// Multiples of that scale that a search tries. Below 1 the largest weights are clamped so that
  /// the others are finer; which scale suits the positions of the weights is luck that repeats.
  static let factors: [Float] = (0...80).map { 1.1 - 0.0075 * Float($0) }

  /// Rounds `count` weights that share a scale; returns the scale.
  ///
  /// - Parameters:
  ///   - importance: what squared errors are weighted by [count]: the mean squares of the inputs;
  ///     nil weights them equally. Only a search uses it.
  ///   - codes: receives w / scale, rounded to nearest, ties to even.
  ///
  /// Weights must be finite. Zeros get the scale 1.
  public func round(
    _ weights: UnsafePointer<Float>, count: Int, importance: UnsafePointer<Float>? = nil,
    choice: ScaleChoice, into codes: UnsafeMutablePointer<Int8>
  ) -> Float {
    let isa = Execution.isa
    let scale = scale(weights, count: count, importance: importance, choice: choice, isa: isa)
    ck_round_codes(isa, weights, count, scale, range, codes)
    return scale
  }

  /// Rounds weights by a scale that is given.
  package func round(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>
  ) {
    round(weights, count: count, scale: scale, into: codes, isa: Execution.isa)
  }

  /// The same for loops over few weights.
  func round(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>, isa: Int32
  ) {
    ck_round_codes(isa, weights, count, scale, range, codes)
  }

  /// The scale that `round` takes.
  func scale(
    _ weights: UnsafePointer<Float>, count: Int, importance: UnsafePointer<Float>?,
    choice: ScaleChoice, isa: Int32
  ) -> Float {
    var largest: Float = 0
    for i in 0..<count { largest = max(largest, weights[i].magnitude) }
    let plain = largest / Float(format.largest)
    // Weights this small are zeros in any other type as well.
    guard plain >= .leastNormalMagnitude else { return 1 }
    guard choice == .search else { return stored(plain) }
    func residual(_ scale: Float) -> Residual {
      var sums: (Float, Float, Float) = (0, 0, 0)
      withUnsafeMutableBytes(of: &sums) {
        guard let sums = $0.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        ck_code_residual(isa, weights, importance, count, scale, range, sums)
      }
      return Residual(scale: scale, error: sums.0, cross: sums.1, square: sums.2)
    }
    var best = residual(plain)
    for factor in Self.factors {
      let candidate = residual(plain * factor)
      if candidate.refined < best.refined { best = candidate }
    }
    // Codes for the best scale, the best scale for these codes, in turn: neither makes it worse.
    for _ in 0..<3 {
      guard let scale = best.refinedScale else { break }
      let next = residual(scale)
      guard next.error < best.error else { break }
      best = next
    }
    return stored(best.scale)
  }

  /// `scale` as it is stored. Codes of 4 bits are chosen for a scale that is rounded to bfloat16, so that
  /// formats with scales of 16 bits hold it as it is; what that costs is far below what the codes do.
  private func stored(_ scale: Float) -> Float {
    guard format == .int4 else { return scale }
    let bits = scale.bitPattern
    let rounded = Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000)
    // The largest numbers round up to infinity.
    return rounded.isFinite ? rounded : Float(bitPattern: 0x7f7f_0000)
  }

  /// What rounding at one scale leaves.
  private struct Residual {
    let scale: Float
    /// The weighted squared error.
    let error: Float
    let cross, square: Float

    /// The error with the same codes and the scale that suits them best.
    var refined: Float { square > 0 ? error - cross * cross / square : error }

    /// That scale; nil when there is none.
    var refinedScale: Float? {
      guard square > 0 else { return nil }
      let refined = scale + cross / square
      return refined.isNormal && refined > 0 ? refined : nil
    }
  }
}

extension CodeRounding {
  /// The specification of `round` by a given scale.
  public func reference(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>
  ) {
    let least = Float(format.range.lowerBound), most = Float(format.range.upperBound)
    for i in 0..<count {
      let ratio = min(most, max(least, weights[i] * (1 / scale)))
      codes[i] = Int8(ratio.rounded(.toNearestOrEven))
    }
  }
}
