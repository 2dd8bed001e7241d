import Foundations

/// `4.2 s`, `3 min 20 s`, `1 h 5 min`.
public func duration(_ seconds: Double, decimals: Int = 1) -> String {
  if seconds < 59.95 { return "\(fixed(seconds, decimals)) s" }
  let whole = Int(seconds.rounded())
  if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
  return "\(whole / 3600) h \(whole % 3600 / 60) min"
}

/// `4.2 s (1.20 GB/s)`
func speed(_ bytes: Int, _ seconds: Double) -> String {
  "\(duration(seconds)) (\(ByteSize(Int(Double(bytes) / max(seconds, 1e-3))))/s)"
}

/// A count as people say it: `134 M`, `7.62 B`.
package func count(_ number: Int) -> String {
  for (unit, size) in [("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)]
  where Double(number) >= size {
    let value = Double(number) / size
    return "\(fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(unit)"
  }
  return "\(number)"
}

/// Ascending numbers with runs and steps of two shortened: `0,2,...,26`, `1-3`.
func ranges(_ numbers: [Int]) -> String {
  guard numbers.count > 3, let first = numbers.first, let last = numbers.last else {
    return numbers.map(String.init).joined(separator: ",")
  }
  let step = numbers[1] - first
  guard numbers == Array(stride(from: first, through: last, by: step)) else {
    return numbers.map(String.init).joined(separator: ",")
  }
  return step == 1 ? "\(first)-\(last)" : "\(first),\(first + step),...,\(last)"
}
