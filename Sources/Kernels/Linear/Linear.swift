public import TensorTypes

/// Linear layers: y = x Wᵀ + b with W in any stored type, read in place.
public enum Linear {
  /// Writes y = x Wᵀ + b to `output` [tokens, out] for `input` x [tokens, in]; of the columns only
  /// those of some `rows` of the weight when these are given.
  ///
  /// - Parameters:
  ///   - weight: W [out, in], of any type `RowDecoder` supports.
  ///   - bias: b [out], or nil.
  public static func apply(
    weight: TensorView, rows: Range<Int>? = nil, bias: [Float]?, input: FloatMatrix,
    into output: FloatMatrix
  ) {
    output.requireOutput(of: input, weight.rows, weight.columns, bias)
    withExtendedLifetime((input, output)) {
      bias.withStart(at: rows?.lowerBound ?? 0) { bias in
        apply(
          weight: rows.map { weight.slice(rows: $0) } ?? weight, bias: bias, input: input.pointer,
          tokens: input.rows, output: output.pointer + (rows?.lowerBound ?? 0),
          outputStride: output.columns)
      }
    }
  }

  /// Writes y [tokens, out] = x [tokens, in] · Wᵀ + b.
  ///
  /// - Parameters:
  ///   - weight: W [out, in], of any type `RowDecoder` supports.
  ///   - bias: b [out], or nil.
  ///   - input: x; consecutive tokens are `inputStride` floats apart (default: in).
  ///   - output: y; consecutive tokens are `outputStride` floats apart (default: out). Must not
  ///     overlap x.
  ///   - precision: What more than `fewTokens` tokens and the weights are rounded to.
  ///
  /// Weights are widened to float32 and multiplied with float32 activations and accumulators. A
  /// token's result depends on how many tokens there are by rounding only; with `precision`
  /// `.bfloat16`, also on whether these are enough for activations and weights to be rounded.
  static func apply(
    weight: TensorView, bias: UnsafePointer<Float>? = nil,
    input: UnsafePointer<Float>, inputStride: Int? = nil, tokens: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int? = nil,
    precision: MatrixProduct.Precision = .current
  ) {
    precondition(RowDecoder.supports(weight.type))
    guard tokens > 0, weight.rows > 0 else { return }
    let call = LinearCall(
      weight: weight, bias: bias, input: input, inputStride: inputStride ?? weight.columns,
      tokens: tokens, output: output, outputStride: outputStride ?? weight.rows,
      kernel: .kernel(precision, m: tokens, n: weight.rows, k: weight.columns))
    if tokens <= fewTokens { call.runDots() } else { call.runPanels() }
  }

  /// Up to this many tokens, dot products over the weights in place beat decoding and packing panels
  /// of them (AVX2 measured on Zen 3; the AVX-512 kernel of dot products keeps its speed at any size).
  static var fewTokens: Int {
    switch InstructionSet.current {
    case .avx512, .avx512vnni, .avx512bf16, .amx: 64
    case .avx2: 24
    case .generic: 3
    }
  }

  /// Up to this many of them, blocks of codes are taken apart for each; for more, once into floats
  /// (AVX2 measured on Zen 3).
  static var fewTokensOfBlocks: Int {
    switch InstructionSet.current {
    case .avx512, .avx512vnni, .avx512bf16, .amx: fewTokens
    case .avx2, .generic: 2
    }
  }
}

/// The arguments of one `Linear.apply`.
struct LinearCall {
  let weight: TensorView
  /// The same with its scales, when it is quantised; then `weight` are its codes.
  var quantized: QuantizedWeight?
  let bias: UnsafePointer<Float>?
  let input: UnsafePointer<Float>
  let inputStride: Int
  let tokens: Int
  let output: UnsafeMutablePointer<Float>
  let outputStride: Int
  /// What multiplies many tokens.
  let kernel: ProductKernel

  /// Inputs.
  var columns: Int { quantized?.columns ?? weight.columns }

  /// Some rows of the weight as float32.
  func decode(_ rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    if let quantized {
      quantized.decode(rows: rows, into: output)
    } else {
      RowDecoder.decode(weight, rows: rows, into: output)
    }
  }
}

extension FloatMatrix {
  /// Precondition of linear maps from `input` with a weight of these sizes.
  func requireOutput(of input: FloatMatrix, _ out: Int, _ `in`: Int, _ bias: [Float]?) {
    precondition(input.columns == `in` && columns == out && rows == input.rows)
    precondition(bias.map { $0.count == out } ?? true)
  }
}

extension [Float]? {
  /// Calls `body` with a pointer to the element at `index`, or with nil.
  func withStart(at index: Int, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let self else { return body(nil) }
    self.withUnsafeBufferPointer { body($0.baseAddress.map { $0 + index }) }
  }
}
