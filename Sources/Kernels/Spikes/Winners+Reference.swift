extension Winners {
  /// The specification of one row of `apply`.
  public static func reference(_ x: [Float], count: Int) -> [Float] {
    func rank(_ value: Float) -> Float { value.isNaN ? .infinity : value.magnitude }
    func precedes(_ a: Int, _ b: Int) -> Bool {
      if x[a].isNaN != x[b].isNaN { return x[a].isNaN }
      return rank(x[a]) == rank(x[b]) ? a < b : rank(x[a]) > rank(x[b])
    }
    let winners = Set(x.indices.sorted(by: precedes).prefix(count))
    return x.indices.map { winners.contains($0) ? x[$0] : 0 }
  }
}
