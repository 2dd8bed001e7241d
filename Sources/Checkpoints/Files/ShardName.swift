/// The names of a model's files where there are several: `model-00001-of-00003.safetensors`.
struct ShardName: Equatable {
  /// More shards than any model has; the numbers in names have five digits.
  static let most = 65_535

  /// What stands before the numbers.
  var stem: String
  /// The number of the file, from 1.
  var number: Int
  /// How many there are.
  var count: Int
  /// What the name ends in, with its dot.
  var suffix: String

  init(stem: String, number: Int, count: Int, suffix: String) {
    self.stem = stem
    self.number = number
    self.count = count
    self.suffix = suffix
  }

  /// The parts of `name`, which must end in `suffix`; nil for a name of any other form.
  init?(_ name: String, suffix: String) {
    guard name.hasSuffix(suffix) else { return nil }
    let parts = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[parts.count - 2] == "of",
      let number = Int(parts[parts.count - 3]), let count = Int(parts[parts.count - 1]),
      number >= 1, number <= count, count <= ShardName.most
    else { return nil }
    self.init(
      stem: parts.dropLast(3).joined(separator: "-"), number: number, count: count, suffix: suffix)
    guard text == name else { return nil }
  }

  /// The name.
  var text: String {
    "\(stem)-\(ShardName.fiveDigits(number))-of-\(ShardName.fiveDigits(count))\(suffix)"
  }

  /// The names of all files of the model, in order.
  var all: [String] {
    (1...max(count, 1)).map {
      ShardName(stem: stem, number: $0, count: count, suffix: suffix).text
    }
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
