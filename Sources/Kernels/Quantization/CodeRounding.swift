import CKernels

/// Symmetric INT8 codes for runs of weights that share a scale.
///
/// Codes stay within ±127: -128 has no counterpart.
public enum CodeRounding {
  /// How the scale of a run is found.
  public enum ScaleChoice: Sendable {
    /// The largest magnitude / 127.
    case nearest
    /// The scale with the least squared error found.
    case search
  }

  /// Multiples of max / 127 that a search tries. Below 1 the largest weights are clamped so that
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
  public static func round(
    _ weights: UnsafePointer<Float>, count: Int, importance: UnsafePointer<Float>? = nil,
    choice: ScaleChoice, into codes: UnsafeMutablePointer<Int8>
  ) -> Float {
    let isa = Execution.isa
    let scale = scale(weights, count: count, importance: importance, choice: choice, isa: isa)
    ck_int8_round(isa, weights, count, scale, codes)
    return scale
  }

  /// Rounds weights by a scale that is given.
  package static func round(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>
  ) {
    round(weights, count: count, scale: scale, into: codes, isa: Execution.isa)
  }

  /// The same for loops over few weights.
  static func round(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>, isa: Int32
  ) {
    ck_int8_round(isa, weights, count, scale, codes)
  }

  /// The scale that `round` takes.
  static func scale(
    _ weights: UnsafePointer<Float>, count: Int, importance: UnsafePointer<Float>?,
    choice: ScaleChoice, isa: Int32
  ) -> Float {
    var largest: Float = 0
    for i in 0..<count { largest = max(largest, weights[i].magnitude) }
    let plain = largest / 127
    // Weights this small are zeros in any other type as well.
    guard plain >= .leastNormalMagnitude else { return 1 }
    guard choice == .search else { return plain }
    var best = Residual(weights, count, importance, scale: plain, isa)
    for factor in factors {
      let candidate = Residual(weights, count, importance, scale: plain * factor, isa)
      if candidate.refined < best.refined { best = candidate }
    }
    // Codes for the best scale, the best scale for these codes, in turn: neither makes it worse.
    for _ in 0..<3 {
      guard let scale = best.refinedScale else { break }
      let next = Residual(weights, count, importance, scale: scale, isa)
      guard next.error < best.error else { break }
      best = next
    }
    return best.scale
  }

  /// What rounding at one scale leaves.
  private struct Residual {
    let scale: Float
    /// The weighted squared error.
    let error: Float
    private let cross, square: Float

    init(
      _ weights: UnsafePointer<Float>, _ count: Int, _ importance: UnsafePointer<Float>?,
      scale: Float, _ isa: Int32
    ) {
      var sums: (Float, Float, Float) = (0, 0, 0)
      withUnsafeMutableBytes(of: &sums) {
        guard let sums = $0.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        ck_int8_residual(isa, weights, importance, count, scale, sums)
      }
      self.scale = scale
      (error, cross, square) = sums
    }

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
  public static func reference(
    _ weights: UnsafePointer<Float>, count: Int, scale: Float,
    into codes: UnsafeMutablePointer<Int8>
  ) {
    for i in 0..<count {
      let ratio = min(127, max(-127, weights[i] * (1 / scale)))
      codes[i] = Int8(ratio.rounded(.toNearestOrEven))
    }
  }
}
