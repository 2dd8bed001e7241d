/// How a GGUF model of several files says so: keys in every part, numbers in the names.
public enum GGUFSplit {
  /// The number of the part, from 0.
  public static let numberKey = "split.no"
  /// How many parts there are.
  public static let countKey = "split.count"
  /// How many tensors they hold together.
  public static let tensorCountKey = "split.tensors.count"

  /// More parts than any model has; the numbers in names have five digits.
  public static let mostParts = 65_535

  /// The name of part `number` (from 0) of `count`: `model-00001-of-00003.gguf`.
  public static func name(_ stem: String, _ number: Int, of count: Int) -> String {
    "\(stem)-\(fiveDigits(number + 1))-of-\(fiveDigits(count)).gguf"
  }

  /// The stem of a name of that form with its numbers; nil for any other name.
  static func parse(_ name: String) -> (stem: String, number: Int, count: Int)? {
    guard name.hasSuffix(".gguf") else { return nil }
    let parts = name.dropLast(5).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[parts.count - 2] == "of",
      let number = Int(parts[parts.count - 3]), let count = Int(parts[parts.count - 1])
    else { return nil }
    let stem = parts.dropLast(3).joined(separator: "-")
    guard number >= 1, self.name(stem, number - 1, of: count) == name else { return nil }
    return (stem, number - 1, count)
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
