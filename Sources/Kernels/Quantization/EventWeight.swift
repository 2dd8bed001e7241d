import CKernels

/// A transposed copy of an INT8 weight for event-driven products: every active input channel adds
/// its column, silent ones are not read.
///
/// It takes as much memory as the weight, and pays for decoding when about half of the channels
/// or more are silent (`pays`); at k = 3 about 18 % are, where `QuantizedLinear.applyCounts` is faster.
public final class EventWeight: @unchecked Sendable {
  /// Outputs and inputs.
  public let rows, columns: Int
  private let groupSize, blocks: Int
  private let bytes: UnsafeMutablePointer<UInt8>
  private let scales: UnsafeMutablePointer<Float>

  /// Share of silent channels from which on skipping them is faster (measured on Zen 4 with matrices
  /// that do not fit the caches).
  public static let worthwhileSilence = 0.5

  /// Whether skipping the silent channels of one token's counts is faster than reading all.
  static func pays(_ counts: UnsafePointer<Int32>, count: Int) -> Bool {
    var silent = 0
    for i in 0..<count where counts[i] == 0 { silent += 1 }
    return Double(silent) >= worthwhileSilence * Double(count)
  }

  /// The copy of `weight`.
  public init(_ weight: QuantizedWeight) {
    let block = Int(CK_EVENT_BLOCK), groups = weight.groups
    (rows, columns, groupSize) = (weight.rows, weight.columns, weight.groupSize)
    let blocks = (rows + block - 1) / block
    self.blocks = blocks
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(blocks * columns * block, 1), alignment: 64
    ).bindMemory(to: UInt8.self, capacity: max(blocks * columns * block, 1))
    let scales = UnsafeMutableRawPointer.allocate(
      byteCount: max(blocks * groups * block, 1) * 4, alignment: 64
    ).bindMemory(to: Float.self, capacity: max(blocks * groups * block, 1))
    (self.bytes, self.scales) = (bytes, scales)
    guard rows > 0 else { return }
    weight.withMatrix(rows: 0..<rows) { matrix in
      Parallel.forEach(blocks) { index in
        ck_event_pack(
          matrix, index * block, min(block, matrix.rows - index * block),
          bytes + index * matrix.columns * block, scales + index * groups * block)
      }
    }
  }

  deinit {
    bytes.deallocate()
    scales.deallocate()
  }

  /// Writes y [tokens, out] = V_th · (s Wᵀ) + b, as `QuantizedLinear.applyCounts` does, a token at a time.
  func applyCounts(
    bias: UnsafePointer<Float>? = nil, counts: UnsafePointer<Int32>, countStride: Int? = nil,
    thresholds: UnsafePointer<Float>, tokens: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int? = nil
  ) {
    guard tokens > 0, rows > 0 else { return }
    let digits = CountDigits(
      counts, countStride: countStride ?? columns, tokens: tokens, columns: columns,
      groupSize: groupSize)
    let block = Int(CK_EVENT_BLOCK), width = blocks * block
    withScratch(width) { sums in
      for token in 0..<tokens {
        let target = output + token * (outputStride ?? rows), threshold = thresholds[token]
        for r in 0..<rows { target[r] = bias?[r] ?? 0 }
        for (row, digit) in digits.rows(of: token) {
          add(row, of: digits, into: sums)
          Vector.addScaled(
            sums, by: threshold * Float(1 << (8 * digit)), count: rows, to: target)
        }
      }
    }
    withExtendedLifetime(digits) {}
  }

  /// The sums of one row of digits [blocks · 256].
  private func add(_ row: Int, of digits: CountDigits, into sums: UnsafeMutablePointer<Float>) {
    let groups = (columns + groupSize - 1) / groupSize
    let capacity = columns + 4 * groups + Int(CK_EVENT_AHEAD)
    var channels = [UInt32](repeating: 0, count: capacity)
    var active = [Int8](repeating: 0, count: capacity)
    var starts = [UInt32](repeating: 0, count: groups + 1)
    ck_event_list(
      digits.digits + row * digits.stride, columns, groupSize, &channels, &active, &starts)
    // Silent channels add nothing to a group's offset either.
    let matrix = ck_event_matrix(
      bytes: bytes, scales: scales, rows: rows, columns: columns, group: groupSize)
    let offsets = digits.offsets + row * groups
    let work = Int(starts[groups]) * Int(CK_EVENT_BLOCK)
    channels.withUnsafeBufferPointer { channels in
      active.withUnsafeBufferPointer { active in
        starts.withUnsafeBufferPointer { starts in
          Parallel.ranges(blocks, minimum: 1 + (1 << 21) / max(work, 1)) { range in
            ck_event_sums(
              Execution.isa, matrix,
              ck_events(
                channels: channels.baseAddress, active: active.baseAddress,
                starts: starts.baseAddress, offsets: offsets),
              range.lowerBound, range.count, sums)
          }
        }
      }
    }
  }
}
