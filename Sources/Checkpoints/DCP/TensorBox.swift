/// A box of a tensor: in each dimension the first index and the extent.
public struct TensorBox: Sendable, Hashable {
  /// The index of its first element.
  public var offsets: [Int]
  /// Its extent in each dimension.
  public var sizes: [Int]

  /// A box with as many offsets as sizes.
  public init(offsets: [Int], sizes: [Int]) {
    self.offsets = offsets
    self.sizes = sizes
  }

  /// The number of dimensions.
  var rank: Int { sizes.count }
  /// Whether it holds nothing.
  var isEmpty: Bool { sizes.contains(0) }
  /// The number of elements.
  var count: Int { sizes.reduce(1, *) }

  /// The part that both boxes hold; nil when there is none. Both have the same rank.
  func intersection(_ other: TensorBox) -> TensorBox? {
    var shared = self
    for dimension in sizes.indices {
      let start = max(offsets[dimension], other.offsets[dimension])
      let end = min(
        offsets[dimension] + sizes[dimension], other.offsets[dimension] + other.sizes[dimension])
      guard start < end else { return nil }
      shared.offsets[dimension] = start
      shared.sizes[dimension] = end - start
    }
    return shared
  }

  /// How many elements of this box lie in front of the element at `index`.
  ///
  /// - Precondition: the element is inside.
  func position(of index: [Int]) -> Int {
    var position = 0
    for dimension in sizes.indices {
      position = position * sizes[dimension] + index[dimension] - offsets[dimension]
    }
    return position
  }

  /// Whether the elements of `part`, which is inside, follow each other here.
  func isContiguous(_ part: TensorBox) -> Bool {
    let first = part.sizes.firstIndex { $0 != 1 } ?? part.rank
    return part.sizes.indices.allSatisfy { $0 <= first || part.sizes[$0] == sizes[$0] }
  }

  /// Copies `part`, which is inside this box and inside `target`, from the bytes of this box to those
  /// of `target`; elements take `elementBytes`.
  func copy(
    _ part: TensorBox, from source: UnsafeRawBufferPointer, to target: TensorBox,
    _ bytes: UnsafeMutableRawBufferPointer, elementBytes: Int
  ) {
    guard !part.isEmpty else { return }
    // Dimensions behind the last that is cut make one run with it.
    var cut = rank
    while cut > 0, part.sizes[cut - 1] == sizes[cut - 1],
      part.sizes[cut - 1] == target.sizes[cut - 1]
    {
      cut -= 1
    }
    let outer = max(cut - 1, 0)
    let run = part.sizes[outer...].reduce(1, *) * elementBytes
    var index = part.offsets
    repeat {
      let from = position(of: index) * elementBytes
      let to = target.position(of: index) * elementBytes
      UnsafeMutableRawBufferPointer(rebasing: bytes[to..<to + run])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + run]))
    } while part.advance(&index, before: outer)
  }

  /// Moves `index` to the next element as if there were only the dimensions before `end`; false
  /// behind the last.
  private func advance(_ index: inout [Int], before end: Int) -> Bool {
    for dimension in (0..<end).reversed() {
      index[dimension] += 1
      if index[dimension] < offsets[dimension] + sizes[dimension] { return true }
      index[dimension] = offsets[dimension]
    }
    return false
  }
}
