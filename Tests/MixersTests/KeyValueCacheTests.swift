import Foundations
import Testing

@testable import Kernels
@testable import Mixers

/// The pages against a plain list.
struct KeyValueCacheTests {
  private static let width = 3

  /// Position p's key is [p, p + ½, …], its value the negative of that.
  private func rows(_ positions: Range<Int>, sign: Float) -> FloatMatrix {
    let matrix = FloatMatrix(rows: positions.count, columns: Self.width)
    for (row, position) in positions.enumerated() {
      for column in 0..<Self.width {
        matrix[row][column] = sign * (Float(position) + Float(column) / 4)
      }
    }
    return matrix
  }

  private func append(_ count: Int, to cache: inout KeyValueCache) {
    let positions = cache.position..<cache.position + count
    cache.append(keys: rows(positions, sign: 1), values: rows(positions, sign: -1))
  }

  /// Checks that the cache holds exactly the last positions.
  private func check(_ cache: KeyValueCache, _ position: Int, _ window: Int?) {
    let held = min(position, window ?? position)
    #expect(cache.position == position)
    #expect(cache.held == held)
    var next = position - held
    let segments = cache.segments
    #expect(segments.count <= (window == nil ? held / 512 + 1 : 2))
    for segment in segments {
      #expect(segment.firstPosition == next)
      for index in 0..<segment.count {
        for column in 0..<Self.width {
          let expected = Float(next) + Float(column) / 4
          #expect(segment.keys[index * Self.width + column] == expected)
          #expect(segment.values[index * Self.width + column] == -expected)
        }
        next += 1
      }
    }
    withExtendedLifetime(segments) {}
    #expect(next == position)
  }

  @Test(arguments: [nil, 1, 2, 3, 5, 63, 64, 65, 100, 128, 129, 200] as [Int?])
  func `holds the last keys after every append`(_ window: Int?) {
    for seed in 0..<4 as Range<UInt64> {
      var generator = SplitMix64(seed: seed, label: "\(window ?? 0)")
      var cache = KeyValueCache(windowKeys: window, width: Self.width)
      var position = 0
      for _ in 0..<12 {
        let count = [0, 1, 1, 2, 7, 40, 64, 150, 1200].randomElement(using: &generator) ?? 1
        append(count, to: &cache)
        position += count
        check(cache, position, window)
      }
    }
  }

  @Test(
    arguments: [nil, 1, 4, 64, 100] as [Int?],
    [0, 1, 3, 4, 5, 63, 64, 99, 100, 101, 230, 511, 512, 513])
  func `is restored from what it saved, and goes on`(_ window: Int?, _ position: Int) {
    var cache = KeyValueCache(windowKeys: window, width: Self.width)
    for _ in 0..<position { append(1, to: &cache) }
    let saved = cache.saved
    #expect(saved.count == 2 * min(position, window ?? position) * Self.width)
    var restored = KeyValueCache(windowKeys: window, width: Self.width)
    let isRestored = restored.restore(saved, position: position)
    #expect(isRestored)
    check(restored, position, window)
    append(9, to: &restored)
    check(restored, position + 9, window)
    let fits = [
      restored.restore(saved + [0], position: position), restored.restore([], position: -1),
    ]
    #expect(fits == [false, false])
  }

  @Test func `a copy is independent`() {
    var cache = KeyValueCache(windowKeys: 5, width: Self.width)
    append(7, to: &cache)
    var copy = cache
    append(3, to: &cache)
    check(copy, 7, 5)
    append(1, to: &copy)
    check(cache, 10, 5)
    check(copy, 8, 5)
  }

  @Test func `copies share the pages that neither writes`() {
    var cache = KeyValueCache(windowKeys: nil, width: Self.width)
    append(1500, to: &cache)
    var copy = cache
    append(100, to: &copy)
    append(3, to: &cache)
    check(cache, 1503, nil)
    check(copy, 1600, nil)
    let shared = zip(cache.segments, copy.segments).map { $0.keys == $1.keys }
    #expect(shared == [true, true, false])
    withExtendedLifetime((cache, copy)) {}
  }

  @Test func `without a window memory grows by pages`() {
    var cache = KeyValueCache(windowKeys: nil, width: Self.width)
    append(2048, to: &cache)
    #expect(cache.byteCount == 2 * 2048 * Self.width * 4)
    append(1, to: &cache)
    #expect(cache.byteCount == 2 * 2560 * Self.width * 4)
  }

  @Test func `memory follows the text up to the window`() {
    var cache = KeyValueCache(windowKeys: 100, width: Self.width)
    let first = cache.byteCount
    for _ in 0..<1000 { append(1, to: &cache) }
    #expect(cache.byteCount == 2 * 100 * Self.width * 4)
    #expect(first < cache.byteCount)
  }
}
