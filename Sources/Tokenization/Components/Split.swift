/// A split at the matches of a pattern.
struct Split: Sendable {
  /// What becomes of the matches.
  enum Behavior: String, Sendable, CaseIterable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Neighbouring matches form one piece.
    case contiguous = "Contiguous"
  }

  var pattern: Pattern
  var behavior: Behavior
  /// What lies between the matches is treated as the matches.
  var inverted = false

  func apply(to pieces: inout Pieces) {
    let bytes = pieces.bytes
    var matcher = pattern.matcher
    var parts: [Part] = []
    pieces.refine { piece, ranges in
      parts.removeAll(keepingCapacity: true)
      matcher.forEachPart(of: bytes, in: piece) { range, isMatch in
        parts.append(Part(range: range, isMatch: isMatch != inverted))
      }
      join(parts, into: &ranges)
    }
  }

  private struct Part {
    var range: Range<Int>
    var isMatch: Bool
  }

  private func join(_ parts: [Part], into ranges: inout [Range<Int>]) {
    switch behavior {
    case .isolated: for part in parts { ranges.append(part.range) }
    case .removed: for part in parts where !part.isMatch { ranges.append(part.range) }
    case .contiguous:
      joinNeighbours(parts, into: &ranges) { previous, part in previous.isMatch == part.isMatch }
    case .mergedWithPrevious:
      joinNeighbours(parts, into: &ranges) { previous, part in
        part.isMatch && !previous.isMatch
      }
    case .mergedWithNext:
      joinNeighbours(parts, into: &ranges) { previous, part in
        previous.isMatch && !part.isMatch
      }
    }
  }

  private func joinNeighbours(
    _ parts: [Part], into ranges: inout [Range<Int>], where joins: (Part, Part) -> Bool
  ) {
    for (index, part) in parts.enumerated() {
      if index > 0, let last = ranges.last, joins(parts[index - 1], part) {
        ranges[ranges.count - 1] = last.lowerBound..<part.range.upperBound
      } else {
        ranges.append(part.range)
      }
    }
  }
}
