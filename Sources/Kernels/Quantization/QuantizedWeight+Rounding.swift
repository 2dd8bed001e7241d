public import TensorTypes

extension QuantizedWeight {
  /// How weights are rounded to codes.
  public enum Method {
    /// Scales of the largest magnitude / 127, each weight to its nearest code.
    case nearest
    /// Searched scales, each weight to its nearest code; squared errors weighted by the mean squares
    /// of the inputs [in], if they are given.
    case search(importance: [Float]?)
    /// Searched scales, and each weight rounded with the errors of those before it in mind.
    case secondOrder(RoundingFeedback)
  }

  /// Rows rounded together.
  private static let blockRows = 32

  /// The weight `weight` [out, in], of any type `RowDecoder` supports, rounded to INT8.
  ///
  /// Weights must be finite. The bits do not depend on the thread count.
  public init(rounding weight: TensorView, granularity: ScaleGranularity, method: Method) {
    let rows = weight.rows, columns = weight.columns
    let size = granularity.size(columns: columns), groups = granularity.scales(columns: columns)
    let storage = MemoryStorage(count: rows * columns)
    let codes = storage.bytes.bindMemory(to: Int8.self)
    let scales = [Float](unsafeUninitializedCapacity: rows * groups) { scales, count in
      count = rows * groups
      guard let scales = scales.baseAddress, let codes = codes.baseAddress else { return }
      Parallel.forEach((rows + Self.blockRows - 1) / Self.blockRows) { block in
        let range = block * Self.blockRows..<min(rows, (block + 1) * Self.blockRows)
        withScratch(range.count * columns) { values in
          RowDecoder.decode(weight, rows: range, into: values)
          let call = RoundingCall(
            weights: values, rows: range.count, columns: columns, groupSize: size, groups: groups,
            codes: codes + range.lowerBound * columns, scales: scales + range.lowerBound * groups)
          switch method {
          case .nearest: call.round(.nearest, importance: nil)
          case .search(nil): call.round(.search, importance: nil)
          case .search(let importance?):
            importance.withUnsafeBufferPointer {
              call.round(.search, importance: $0.baseAddress)
            }
          case .secondOrder(let feedback): call.round(feedback)
          }
        }
      }
    }
    self.init(
      codes: TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<(rows * columns)]), type: .int8,
        shape: [rows, columns], storage: storage),
      scales: scales, granularity: granularity)
  }
}

/// Some rows on their way to INT8.
struct RoundingCall {
  /// The weights [rows, columns].
  let weights: UnsafePointer<Float>
  let rows, columns, groupSize, groups: Int
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
        scales[row * groups + group] = CodeRounding.round(
          weights + first, count: inputs.count,
          importance: importance.map { $0 + inputs.lowerBound }, choice: choice,
          into: codes + first)
      }
    }
  }
}
