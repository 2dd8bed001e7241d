/// The Unicode property Script, as `\p{Han}` names it, in Unicode 16.
///
/// Swift's standard library does not know it. The table is written by
/// Tests/Reference/tokenizers/make_scripts.py.
enum Scripts {
  /// The number of the script with a name or its abbreviation; nil if there is none. The prefixes
  /// `Script=` and `sc=` are allowed.
  static func script(named name: String) -> UInt8? {
    let simple = name.simplifiedProperty
    for prefix in ["script=", "sc="] where simple.hasPrefix(prefix) {
      return table.names[String(simple.dropFirst(prefix.count))]
    }
    return table.names[simple]
  }

  /// The number of a scalar's script; 0 if it has none.
  static func script(of scalar: Unicode.Scalar) -> UInt8 {
    guard let age = scalar.properties.age, age.major <= 16 else { return 0 }
    let runs = table.runs
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].start <= scalar.value { low = middle + 1 } else { high = middle }
    }
    guard low > 0, scalar.value <= runs[low - 1].end else { return 0 }
    return runs[low - 1].script
  }

  private struct Run {
    var start: UInt32
    var end: UInt32
    var script: UInt8
  }

  private static let table: (names: [String: UInt8], runs: [Run]) = {
    var names = ["unknown": UInt8(0), "zzzz": 0]
    var runs: [Run] = []
    for (index, line) in text.split(separator: "\n").enumerated() {
      let script = UInt8(index + 1)
      var last: UInt32 = 0
      for word in line.split(separator: " ") {
        guard let numbers = numbers(word) else {
          names[String(word)] = script
          continue
        }
        let start = last + numbers.gap
        last = start + numbers.count
        runs.append(Run(start: start, end: last - 1, script: script))
      }
    }
    return (names, runs.sorted { $0.start < $1.start })
  }()

  /// `gap+count`: how far after the run before a run begins, and its length.
  private static func numbers(_ word: Substring) -> (gap: UInt32, count: UInt32)? {
    let halves = word.split(separator: "+")
    guard halves.count == 2, let gap = UInt32(halves[0], radix: 16),
      let count = UInt32(halves[1], radix: 16)
    else { return nil }
    return (gap, count)
  }
}
