import CKernels

/// Linear layers with weights as small integers: y = x Wᵀ + b.
public enum QuantizedLinear {
  /// Writes y = x Wᵀ + b to `output` [tokens, out] for `input` x [tokens, in]; of the columns only
  /// those of some `rows` of the weight when these are given.
  public static func apply(
    _ weight: QuantizedWeight, rows: Range<Int>? = nil, bias: [Float]?, input: FloatMatrix,
    into output: FloatMatrix
  ) {
    output.requireOutput(of: input, weight.rows, weight.columns, bias)
    withExtendedLifetime((input, output)) {
      bias.withStart(at: rows?.lowerBound ?? 0) { bias in
        apply(
          rows.map { weight.slice(rows: $0) } ?? weight, bias: bias, input: input.pointer,
          tokens: input.rows, output: output.pointer + (rows?.lowerBound ?? 0),
          outputStride: output.columns)
      }
    }
  }

  /// The same for spike counts, by integer arithmetic.
  public static func apply(
    _ weight: QuantizedWeight, rows: Range<Int>? = nil, bias: [Float]?, input: SpikeMatrix,
    into output: FloatMatrix
  ) {
    precondition(output.columns == weight.rows && output.rows == input.thresholds.count)
    precondition(input.counts.count == output.rows * weight.columns)
    withExtendedLifetime(output) {
      bias.withStart(at: rows?.lowerBound ?? 0) { bias in
        applyCounts(
          rows.map { weight.slice(rows: $0) } ?? weight, bias: bias, counts: input.counts,
          thresholds: input.thresholds, tokens: output.rows,
          output: output.pointer + (rows?.lowerBound ?? 0), outputStride: output.columns)
      }
    }
  }

  /// Writes y [tokens, out] for float32 activations x [tokens, in].
  ///
  /// - Parameters:
  ///   - bias: b [out], or nil.
  ///   - input: x; consecutive tokens are `inputStride` floats apart (default: in).
  ///   - output: y; consecutive tokens are `outputStride` floats apart (default: out). Must not
  ///     overlap x.
  ///   - precision: What more than a few tokens and the weights are rounded to.
  ///
  /// Codes are widened and multiplied in float32; a few tokens read them once, in place, which is
  /// what decoding costs. Many tokens multiply panels of decoded rows.
  static func apply(
    _ weight: QuantizedWeight, bias: UnsafePointer<Float>? = nil, input: UnsafePointer<Float>,
    inputStride: Int? = nil, tokens: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int? = nil, precision: MatrixProduct.Precision = .current
  ) {
    guard tokens > 0, weight.rows > 0 else { return }
    let inputStride = inputStride ?? weight.columns, outputStride = outputStride ?? weight.rows
    guard tokens <= min(fewTokens, Linear.fewTokensOfBlocks) else {
      let call = LinearCall(
        weight: weight.codes, quantized: weight, bias: bias, input: input, inputStride: inputStride,
        tokens: tokens, output: output, outputStride: outputStride,
        kernel: .kernel(precision, m: tokens, n: weight.rows, k: weight.columns))
      return tokens <= fewTokens ? call.runDots() : call.runPanels()
    }
    let isa = Execution.isa
    func part(_ rows: Range<Int>) -> (bias: UnsafePointer<Float>?, output: ck_output) {
      (
        bias.map { $0 + rows.lowerBound },
        ck_output(values: output + rows.lowerBound, stride: outputStride)
      )
    }
    guard weight.readsPacked else {
      let x = ck_rows(values: input, stride: inputStride, count: tokens)
      parallel(weight, tokens: tokens) { rows in
        weight.withMatrices(rows: rows) { block, matrix in
          let part = part(block)
          ck_int8_dots(isa, matrix, x, part.bias, part.output)
        }
      }
      return
    }
    let prepared = ck_prepared_count(weight.columns)
    withScratch(prepared * tokens) { x in
      for t in 0..<tokens {
        ck_prepare(
          Int32(CK_INT4), input + t * inputStride, x + t * prepared, weight.columns)
      }
      let x = ck_rows(values: x, stride: prepared, count: tokens)
      parallel(weight, tokens: tokens) { rows in
        let part = part(rows)
        weight.withPacked(rows: rows) { ck_int4_dots(isa, $0, x, part.bias, part.output) }
      }
    }
  }

  /// The specification of `apply`: one dot product in float64 per output.
  static func reference(
    _ weight: QuantizedWeight, bias: UnsafePointer<Float>? = nil, input: UnsafePointer<Float>,
    inputStride: Int? = nil, tokens: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int? = nil
  ) {
    let columns = weight.columns
    withScratch(columns) { row in
      for r in 0..<weight.rows {
        weight.referenceDecode(rows: r..<r + 1, into: row)
        for t in 0..<tokens {
          let x = input + t * (inputStride ?? columns)
          var sum = bias.map { Double($0[r]) } ?? 0
          for c in 0..<columns { sum += Double(row[c]) * Double(x[c]) }
          output[t * (outputStride ?? weight.rows) + r] = Float(sum)
        }
      }
    }
  }

  /// Up to this many tokens, dot products beat decoding panels.
  static var fewTokens: Int {
    switch InstructionSet.current {
    case .avx512, .avx512vnni, .avx512bf16, .amx: 32
    case .avx2, .generic: Linear.fewTokens
    }
  }

  /// Multiply-adds per thread below which waking one costs more than it gives.
  private static var productsWorthAThread: Int { 1 << 17 }

  /// Calls `body` for ranges of rows, on several threads when that pays.
  static func parallel(
    _ weight: QuantizedWeight, tokens: Int, granularity: Int = 16, _ body: (Range<Int>) -> Void
  ) {
    let minimum = 1 + productsWorthAThread / max(1, weight.columns * tokens)
    Parallel.ranges(weight.rows, granularity: granularity, minimum: minimum, body)
  }
}
