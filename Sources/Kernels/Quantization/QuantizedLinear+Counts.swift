import CKernels
import TensorTypes

extension QuantizedLinear {
  /// The largest magnitude of a count: 2^31 - 2^24. Sums of products within a group are exact; see
  /// `applyCounts`.
  public static let largestCount: Int32 = .max - (1 << 24)

  /// Writes y [tokens, out] = V_th · (s Wᵀ) + b for spike counts s: what spiking inputs s · V_th
  /// give, by integer arithmetic.
  ///
  /// - Parameters:
  ///   - counts: s [tokens, in], |s| <= `largestCount`; consecutive tokens are `countStride` numbers
  ///     apart (default: in).
  ///   - thresholds: V_th [tokens].
  ///   - output: y; consecutive tokens are `outputStride` floats apart (default: out).
  ///
  /// Counts are split into digits of base 256, of which nearly all tokens need one. The products of
  /// a digit with the codes of a group are summed exactly in 32 bits (65,536 inputs at most, so
  /// that 65,536 · 255 · 128 < 2^31), then scaled and added in float32. Nothing is clamped.
  static func applyCounts(
    _ weight: QuantizedWeight, bias: UnsafePointer<Float>? = nil, counts: UnsafePointer<Int32>,
    countStride: Int? = nil, thresholds: UnsafePointer<Float>, tokens: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int? = nil
  ) {
    guard tokens > 0, weight.rows > 0 else { return }
    let digits = CountDigits(
      counts, countStride: countStride ?? weight.columns, tokens: tokens,
      columns: weight.columns, groupSize: weight.groupSize)
    let call = CountCall(
      weight: weight, bias: bias, digits: digits, thresholds: thresholds, output: output,
      outputStride: outputStride ?? weight.rows)
    if digits.rows > fewCounts, call.canMultiply { call.runProduct() } else { call.runDots() }
    withExtendedLifetime(digits) {}
  }

  /// The specification of `applyCounts`: sums of a group as integers, all else in float64.
  static func referenceCounts(
    _ weight: QuantizedWeight, bias: UnsafePointer<Float>? = nil, counts: UnsafePointer<Int32>,
    countStride: Int? = nil, thresholds: UnsafePointer<Float>, tokens: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int? = nil
  ) {
    let columns = weight.columns
    for t in 0..<tokens {
      let s = counts + t * (countStride ?? columns)
      for r in 0..<weight.rows {
        var sum = 0.0
        for g in 0..<weight.groups {
          var exact = 0
          for c in g * weight.groupSize..<min(columns, (g + 1) * weight.groupSize) {
            exact += Int(s[c]) * Int(weight.code(r, c))
          }
          sum += Double(exact) * Double(weight.scales[r * weight.groups + g])
        }
        output[t * (outputStride ?? weight.rows) + r] =
          Float(sum * Double(thresholds[t]) + (bias.map { Double($0[r]) } ?? 0))
      }
    }
  }

  /// Up to this many rows of digits, dot products in place beat packing panels of the weight.
  static let fewCounts = 12
}

/// The arguments of one `applyCounts`.
struct CountCall {
  let weight: QuantizedWeight
  let bias: UnsafePointer<Float>?
  let digits: CountDigits
  let thresholds: UnsafePointer<Float>
  let output: UnsafeMutablePointer<Float>
  let outputStride: Int

  /// Whether the product over packed panels exists here, for groups of this size.
  var canMultiply: Bool {
    guard InstructionSet.current >= .avx512vnni else { return false }
    let size = weight.groupSize
    return size >= weight.columns || (size % 32 == 0 && Int(CK_COUNT_DEPTH) % size == 0)
  }

  /// Few rows of digits: one pass over the weight as it is stored.
  func runDots() {
    withSums { sums in
      QuantizedLinear.parallel(weight, tokens: digits.rows) { rows in
        weight.withMatrices(rows: rows) { block, matrix in
          ck_int8_count_dots(
            Execution.isa, matrix, digits.matrix,
            ck_output(values: sums + block.lowerBound, stride: weight.rows))
        }
        finish(rows, sums)
      }
    }
  }

  /// Many rows of digits: tiles over panels of the weight.
  func runProduct() {
    let packedBytes = ck_packed_digits_bytes(digits.rows, digits.stride)
    let scratchBytes = ck_count_product_scratch(weight.columns, weight.groupSize)
    withScratch(packedBytes / 4) { packed in
      let packed = UnsafeMutableRawPointer(packed).assumingMemoryBound(to: Int32.self)
      ck_pack_digits(digits.matrix, packed)
      withSums { sums in
        QuantizedLinear.parallel(
          weight, tokens: digits.rows, granularity: Int(CK_COUNT_COLUMNS)
        ) { rows in
          withScratch((scratchBytes + 3) / 4) { scratch in
            weight.withMatrices(rows: rows, granularity: Int(CK_COUNT_COLUMNS)) { block, matrix in
              ck_int8_count_product(
                matrix, digits.matrix, packed,
                ck_output(values: sums + block.lowerBound, stride: weight.rows), scratch)
            }
          }
          finish(rows, sums)
        }
      }
    }
  }

  /// Memory for the sums of all rows of digits [rows, out]: the output itself when there is one row
  /// per token and no gap between tokens.
  private func withSums(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    if digits.extras.isEmpty, outputStride == weight.rows { return body(output) }
    withScratch(digits.rows * weight.rows, body)
  }

  /// y = V_th · (sum of digits' sums) + b for some outputs.
  private func finish(_ rows: Range<Int>, _ sums: UnsafePointer<Float>) {
    let out = weight.rows, isa = Execution.isa
    let sums = UnsafeMutablePointer(mutating: sums)
    for (index, extra) in digits.extras.enumerated() {
      let source = sums + (digits.tokens + index) * out, target = sums + extra.token * out
      Vector.addScaled(
        source + rows.lowerBound, by: Float(1 << (8 * extra.digit)), count: rows.count,
        to: target + rows.lowerBound, isa: isa)
    }
    for token in 0..<digits.tokens {
      let source = sums + token * out, target = output + token * outputStride
      let threshold = thresholds[token]
      if let bias {
        for r in rows { target[r] = source[r] * threshold + bias[r] }
      } else {
        for r in rows { target[r] = source[r] * threshold }
      }
    }
  }
}
