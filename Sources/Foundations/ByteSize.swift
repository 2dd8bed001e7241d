/// Sizes in bytes as people write them: `512MiB`, `5GB`, `1048576`.
public struct ByteSize: Sendable, Hashable, CustomStringConvertible {
  /// The number of bytes.
  public var bytes: Int

  /// A size of `bytes` bytes.
  public init(_ bytes: Int) { self.bytes = bytes }

  private static let units: [(suffix: String, factor: Int)] = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000),
    ("B", 1), ("", 1),
  ]

  /// Parses a decimal (`5GB`, `5G`) or binary (`512MiB`) size; nil when it is neither, negative, or
  /// too large.
  public init?(parsing text: String) {
    for (suffix, factor) in ByteSize.units where text.lowercased().hasSuffix(suffix.lowercased()) {
      let digits = text.dropLast(suffix.count)
      guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
        let value = Double(digits), value >= 0, value * Double(factor) < 9e18
      else { return nil }
      self.bytes = Int(value * Double(factor))
      return
    }
    return nil
  }

  /// The size without rounding: `255MiB` where that is exact, `10000000B` otherwise.
  public var exact: String {
    bytes > 0 && bytes % (1 << 20) == 0 ? "\(bytes >> 20)MiB" : "\(bytes)B"
  }

  /// Three significant digits with a decimal unit: `15.2 GB`.
  public var description: String {
    var value = Double(bytes)
    var unit = "B"
    for next in ["kB", "MB", "GB", "TB", "PB"] where value >= 999.5 {
      value /= 1000
      unit = next
    }
    if unit == "B" { return "\(bytes) B" }
    let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
    return "\(fixed(value, decimals)) \(unit)"
  }
}

/// A count with its noun: `1 token`, `2 tokens`.
public func counted(_ number: Int, _ noun: String, plural: String? = nil) -> String {
  "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// `value` with exactly `decimals` digits after the point, independent of the locale.
public func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let scaled = (value.magnitude * scale).rounded(.toNearestOrEven)
  guard scaled < 9e15 else { return "\(value)" }
  let whole = Int(scaled)
  let sign = value < 0 && whole != 0 ? "-" : ""
  guard decimals > 0 else { return "\(sign)\(whole)" }
  let digits = String(whole)
  let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
  return "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
}
