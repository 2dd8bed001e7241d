import CKernels
public import TensorTypes

extension QuantizedWeight {
  /// How weights are rounded to codes.
  public enum Method {
    /// Scales of the largest magnitude / the largest code, each weight to its nearest code.
    case nearest
    /// Searched scales, each weight to its nearest code; squared errors weighted by the mean squares
    /// of the inputs [in], if they are given.
    case search(importance: [Float]?)
    /// Searched scales, and each weight rounded with the errors of those before it in mind.
    case secondOrder(RoundingFeedback)
  }

  /// Rows rounded together.
  private static let blockRows = 32

  /// The weight `weight` [out, in], of any type `RowDecoder` supports, rounded to codes.
  ///
  /// Weights must be finite. The bits do not depend on the thread count.
  ///
  /// - Precondition: with two codes in a byte, `in` is even.
  public init(
    rounding weight: TensorView, _ quantization: WeightQuantization, method: Method
  ) {
    let rows = weight.rows, columns = weight.columns, format = quantization.codes
    precondition(columns % format.perElement == 0)
    let size = quantization.granularity.size(columns: columns)
    let groups = quantization.granularity.scales(columns: columns)
    let width = columns / format.perElement
    let storage = MemoryStorage(count: rows * width)
    let scales = [Float](unsafeUninitializedCapacity: rows * groups) { scales, count in
      count = rows * groups
      guard let scales = scales.baseAddress, let stored = storage.bytes.baseAddress else { return }
      Parallel.forEach((rows + Self.blockRows - 1) / Self.blockRows) { block in
        let range = block * Self.blockRows..<min(rows, (block + 1) * Self.blockRows)
        let target = stored + range.lowerBound * width
        // Codes take a byte each until they are packed.
        let room = format == .int4 ? (range.count * columns + 3) / 4 : 0
        withScratch(range.count * columns + room) { values in
          RowDecoder.decode(weight, rows: range, into: values)
          let place =
            format == .int4
            ? UnsafeMutableRawPointer(values + range.count * columns) : target
          let codes = place.assumingMemoryBound(to: Int8.self)
          let call = RoundingCall(
            weights: values, rows: range.count, columns: columns, groupSize: size, groups: groups,
            rounding: CodeRounding(format), codes: codes,
            scales: scales + range.lowerBound * groups)
          switch method {
          case .nearest: call.round(.nearest, importance: nil)
          case .search(nil): call.round(.search, importance: nil)
          case .search(let importance?):
            importance.withUnsafeBufferPointer {
              call.round(.search, importance: $0.baseAddress)
            }
          case .secondOrder(let feedback): call.round(feedback)
          }
          if format == .int4 {
            ck_int4_pack(
              codes, range.count * columns, target.assumingMemoryBound(to: UInt8.self))
          }
        }
      }
    }
    self.init(
      codes: TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<(rows * width)]),
        type: format.type, shape: [rows, width], storage: storage),
      scales: scales, quantization)
  }
}

/// Some rows on their way to codes.
struct RoundingCall {
  /// The weights [rows, columns].
  let weights: UnsafePointer<Float>
  let rows, columns, groupSize, groups: Int
  let rounding: CodeRounding
  /// Receives the codes [rows, columns].
  let codes: UnsafeMutablePointer<Int8>
  /// Receives the scales [rows, groups].
  let scales: UnsafeMutablePointer<Float>

  /// Inputs of group `group`.
  func range(of group: Int) -> Range<Int> {
    group * groupSize..<min(columns, (group + 1) * groupSize)
  }

  /// Each weight to its nearest code.
  func round(_ choice: CodeRounding.ScaleChoice, importance: UnsafePointer<Float>?) {
    for row in 0..<rows {
      for group in 0..<groups {
        let inputs = range(of: group), first = row * columns + inputs.lowerBound
        scales[row * groups + group] = rounding.round(
          weights + first, count: inputs.count,
          importance: importance.map { $0 + inputs.lowerBound }, choice: choice,
          into: codes + first)
      }
    }
  }
}
