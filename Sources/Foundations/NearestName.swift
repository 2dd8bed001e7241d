/// Suggestions for misspelt names: recipe keys, tensor names, options.
public enum NearestName {
  /// The candidate with the smallest edit distance to `name`, if it is close enough to be meant.
  public static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
    let limit = max(2, name.count / 3)
    let ranked = candidates.map { (distance(name, $0), $0) }.min { $0 < $1 }
    guard let ranked, ranked.0 <= limit else { return nil }
    return ranked.1
  }

  /// The Levenshtein distance in characters.
  static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left), right = Array(right)
    var previous = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var current = [i + 1]
      for (j, b) in right.enumerated() {
        current.append(
          Swift.min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a == b ? 0 : 1)))
      }
      previous = current
    }
    return previous[right.count]
  }
}
