/// How a GGUF model of several files says so: keys in every part, numbers in the names.
public enum GGUFSplit {
  /// The number of the part, from 0.
  public static let numberKey = "split.no"
  /// How many parts there are.
  public static let countKey = "split.count"
  /// How many tensors they hold together.
  public static let tensorCountKey = "split.tensors.count"

  /// More parts than any model has.
  public static let mostParts = ShardName.most

  /// The name of part `number` (from 0) of `count`: `model-00001-of-00003.gguf`.
  public static func name(_ stem: String, _ number: Int, of count: Int) -> String {
    ShardName(stem: stem, number: number + 1, count: count, suffix: ".gguf").text
  }

  /// The stem of a name of that form with its numbers; nil for any other name.
  static func parse(_ name: String) -> (stem: String, number: Int, count: Int)? {
    ShardName(name, suffix: ".gguf").map { ($0.stem, $0.number - 1, $0.count) }
  }
}
