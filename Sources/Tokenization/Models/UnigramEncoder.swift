/// Encodes words with a Unigram model (Viterbi's algorithm), ties decided as in the reference
/// libraries: the path found first stays.
struct UnigramEncoder: WordEncoder {
  private let model: UnigramModel

  /// The best path that ends at a byte of the word: its last piece and where that starts.
  private struct Node {
    var id: Int32 = -1
    var start: Int32 = -1
    var score = 0.0
  }

  private var nodes: [Node] = []

  /// Positions in a word are 32-bit numbers; what is longer is encoded in parts.
  private static let longestWord = 1 << 30

  init(_ model: UnigramModel) { self.model = model }

  mutating func encode(_ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int]) {
    if range.count > Self.longestWord {
      let cut = bytes.scalarStart(
        before: range.lowerBound + Self.longestWord, start: range.lowerBound)
      encode(bytes, range.lowerBound..<cut, into: &ids)
      encode(bytes, cut..<range.upperBound, into: &ids)
      return
    }
    search(bytes, range)
    for (id, part) in parts(range) {
      if id == model.unknown {
        appendUnknown(bytes[part], to: &ids)
      } else {
        ids.append(id)
      }
    }
  }

  private mutating func search(_ bytes: [UInt8], _ range: Range<Int>) {
    nodes = Array(repeating: Node(), count: range.count + 1)
    let isRounded = model.rules == .sentencePiece
    var furthest = 0
    bytes.forEachScalar(in: range) { _, scalar in
      let start = scalar.lowerBound - range.lowerBound
      if isRounded, abs(nodes[start].score) > UnigramModel.highestSum {
        subtract(nodes[start].score, from: start...max(start, furthest))
      }
      let before = nodes[start].score
      var isPiece = false
      func reach(_ id: Int, _ length: Int, _ score: Double) {
        // Rounded sums differ where exact ones tie.
        let score = isRounded ? Double(Float(score)) : score
        if nodes[start + length].start < 0 || score > nodes[start + length].score {
          nodes[start + length] = Node(
            id: Int32(truncatingIfNeeded: id), start: Int32(truncatingIfNeeded: start),
            score: score)
        }
        furthest = max(furthest, start + length)
      }
      model.forEachPiece(in: bytes, from: scalar.lowerBound, to: range.upperBound) { id, length in
        reach(id, length, before + model.scores[id])
        if length == scalar.count { isPiece = true }
      }
      if !isPiece { reach(model.unknown, scalar.count, before + model.unknownScore) }
    }
  }

  /// Lowers the sums of the paths that end in `range`: which is best stays, and small differences
  /// do not drown in a large sum.
  private mutating func subtract(_ score: Double, from range: ClosedRange<Int>) {
    for index in range where index == range.lowerBound || nodes[index].start >= 0 {
      nodes[index].score = Double(Float(nodes[index].score - score))
    }
  }

  /// The pieces of the best path; neighbouring unknown scalars are one.
  private func parts(_ range: Range<Int>) -> [(id: Int, part: Range<Int>)] {
    var parts: [(id: Int, part: Range<Int>)] = []
    var end = range.count
    while end > 0 {
      let node = nodes[end]
      let part = range.lowerBound + Int(node.start)..<range.lowerBound + end
      let id = Int(node.id)
      if id == model.unknown, let last = parts.last, last.id == id {
        parts[parts.count - 1].part = part.lowerBound..<last.part.upperBound
      } else {
        parts.append((id, part))
      }
      end = Int(node.start)
    }
    return parts.reversed()
  }

  private func appendUnknown(_ text: ArraySlice<UInt8>, to ids: inout [Int]) {
    // Unknown scalars that were put together can spell a piece.
    if model.rules == .tokenizers, let id = model.vocabulary.id(of: ByteString(text)) {
      ids.append(id)
      return
    }
    let bytes = model.byteIDs.map { table in text.compactMap { table[Int($0)] } } ?? []
    if bytes.count == text.count { ids += bytes } else { ids.append(model.unknown) }
  }
}
