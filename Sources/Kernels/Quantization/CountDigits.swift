import CKernels

/// Spike counts split into digits of base 256 in -128...127, a row of bytes per token and digit.
///
/// A token whose counts all fit a byte has one row. A larger count is not clamped: its token gets
/// further rows, which are multiplied like those of other tokens and added with their weight, so
/// that it costs what one more token costs.
final class CountDigits {
  /// A row beyond the first of a token.
  struct Extra {
    let token: Int
    /// 1 for 256, 2 for 65,536, 3 for 2^24.
    let digit: Int
  }

  let tokens: Int
  /// Rows after those of the tokens' lowest digits.
  let extras: [Extra]
  /// Bytes from row to row.
  let stride: Int
  /// The digits [rows, stride].
  let digits: UnsafeMutablePointer<Int8>
  /// -128 times the sums of digits [rows, groups].
  let offsets: UnsafeMutablePointer<Int32>
  private let memory: UnsafeMutableRawPointer

  /// Rows of digits.
  var rows: Int { tokens + extras.count }

  /// Splits counts [tokens, columns], `countStride` numbers from token to token.
  init(
    _ counts: UnsafePointer<Int32>, countStride: Int, tokens: Int, columns: Int, groupSize: Int
  ) {
    let unit = Int(CK_DIGIT_UNIT), groups = (columns + groupSize - 1) / groupSize
    let stride = (columns + unit - 1) / unit * unit
    var extras: [Extra] = []
    for token in 0..<tokens {
      let count = Int(ck_count_digits(counts + token * countStride, columns))
      for digit in 1..<max(count, 1) { extras.append(Extra(token: token, digit: digit)) }
    }
    let rows = tokens + extras.count
    memory = .allocate(byteCount: rows * (stride + groups * 4), alignment: 64)
    digits = memory.bindMemory(to: Int8.self, capacity: rows * stride)
    offsets = (memory + rows * stride).bindMemory(to: Int32.self, capacity: rows * groups)
    self.tokens = tokens
    self.extras = extras
    self.stride = stride
    let (digits, offsets) = (digits, offsets)
    Parallel.ranges(rows, minimum: 1 + (1 << 18) / max(columns, 1)) { range in
      for row in range {
        let (token, digit) =
          row < tokens ? (row, 0) : (extras[row - tokens].token, extras[row - tokens].digit)
        ck_split_counts(
          counts + token * countStride, columns, stride, groupSize, Int32(digit),
          digits + row * stride, offsets + row * groups)
      }
    }
  }

  /// All rows, as the C kernels see them; valid as long as this object.
  var matrix: ck_digits {
    ck_digits(values: digits, stride: stride, count: rows, offsets: offsets)
  }

  deinit { memory.deallocate() }

  /// The rows of a token with the digits they hold, lowest first.
  func rows(of token: Int) -> [(row: Int, digit: Int)] {
    [(token, 0)]
      + extras.indices.filter { extras[$0].token == token }.map {
        (tokens + $0, extras[$0].digit)
      }
  }
}
