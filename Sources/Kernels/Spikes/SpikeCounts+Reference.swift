extension SpikeCounts {
  /// The specification of `threshold`.
  public static func referenceThreshold(_ x: [Float], k: Float, winners: Int? = nil) -> Float {
    let sum = x.reduce(0.0) { $0 + Double($1.magnitude) }
    return clamped(Float(sum / Double(max(winners ?? x.count, 1))) / k)
  }

  /// The specification of one row of `apply`; nil where there is no count.
  public static func reference(_ x: [Float], threshold: Float) -> [Int32?] {
    x.map {
      let count = Int32(exactly: ($0 / threshold).rounded(.toNearestOrEven))
      return count == .min ? nil : count
    }
  }

  /// The specification of one row of `values`.
  public static func referenceValues(_ x: [Float], threshold: Float) -> [Float] {
    x.map { ($0 / threshold).rounded(.toNearestOrEven) * threshold }
  }
}
