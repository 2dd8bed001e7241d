import Architectures
import Kernels
import Runtime
import TensorTypes

/// A gated linear attention layer whose parameters can be trained: from the normed inputs to the
/// output of o_proj, forwards and backwards.
///
/// Every call takes whole segments, each starting from an empty state: x [segments · length, H].
final class TrainableGLA {
  let model: ModelDescription
  let query: Parameter
  let key: Parameter
  let value: Parameter
  let queryBias: Parameter
  let keyBias: Parameter
  let valueBias: Parameter
  let gateLow: Parameter
  let gateHigh: Parameter
  let gateBias: Parameter
  let outputNorm: Parameter
  let output: Parameter
  /// Per-head norms on q and k, where the model has them; kept as they are.
  let queryNorm: [Float]?
  let keyNorm: [Float]?
  /// Bias of o_proj, where the model has one; kept as it is.
  let outputBias: [Float]?

  /// How much faster gates and norms learn than projections: their gradients are small and a few
  /// numbers decide how long a head remembers.
  private static let gateRate = 4.0

  /// The layer with the weights it has now.
  ///
  /// - Parameter gateBias: where the gates' biases start; nil keeps the stored ones.
  init(_ weights: LayerWeights, model: ModelDescription, gateBias: Double?) throws {
    guard let gate = weights.gate, let low = gate.low, let norm = weights.outputNorm else {
      throw HealingError.differentModels("a layer has no low-rank gate")
    }
    self.model = model
    query = Parameter(weights.query.matrix)
    key = Parameter(weights.key.matrix)
    value = Parameter(weights.value.matrix)
    output = Parameter(weights.output.matrix)
    func bias(_ map: LinearMap) -> [Float] {
      map.bias ?? [Float](repeating: 0, count: map.weight.shape.rows)
    }
    queryBias = Parameter(bias(weights.query))
    keyBias = Parameter(bias(weights.key))
    valueBias = Parameter(bias(weights.value))
    gateLow = Parameter(low.matrix, rate: Self.gateRate)
    gateHigh = Parameter(gate.high.matrix, rate: Self.gateRate)
    self.gateBias = Parameter(
      gateBias.map { [Float](repeating: Float($0), count: model.keyValueWidth) }
        ?? bias(gate.high), rate: Self.gateRate)
    outputNorm = Parameter(norm, rate: Self.gateRate)
    queryNorm = weights.queryNorm
    keyNorm = weights.keyNorm
    outputBias = weights.output.bias
  }

  /// Everything that is trained.
  var parameters: [Parameter] {
    [
      query, key, value, queryBias, keyBias, valueBias, gateLow, gateHigh, gateBias, outputNorm,
      output,
    ]
  }

  /// What the forward pass leaves for the backward pass.
  struct Trace {
    /// x [T, H].
    let input: FloatMatrix
    /// q and k after bias, before their norm (only with norms) and the ReLU.
    let queryLinear: FloatMatrix?
    let keyLinear: FloatMatrix?
    /// relu of q [T, heads·d], of k [T, kv·d], and v [T, kv·d].
    let query: FloatMatrix
    let key: FloatMatrix
    let value: FloatMatrix
    /// x W0ᵀ [T, r], gate logits z and log-decay g [T, kv·d].
    let low: FloatMatrix
    let logits: FloatMatrix
    let decay: FloatMatrix
    /// Head outputs before and after the per-head norm [T, heads·d].
    let heads: FloatMatrix
    let features: FloatMatrix
  }

  /// The features that o_proj reads, with what the backward pass needs.
  func forward(_ input: FloatMatrix, segments: Int) -> Trace {
    func linear(_ weight: Parameter, _ bias: Parameter?) -> FloatMatrix {
      let result = FloatMatrix.product(input, transposed: weight.value)
      if let bias { result.addToRows(bias.value) }
      return result
    }
    var queries = linear(query, queryBias), keys = linear(key, keyBias)
    let queryLinear = queryNorm.map { _ in queries }, keyLinear = keyNorm.map { _ in keys }
    if let queryNorm {
      queries = queries.copy
      queries.normalizeHeads(by: queryNorm, epsilon: model.normEpsilon)
    }
    if let keyNorm {
      keys = keys.copy
      keys.normalizeHeads(by: keyNorm, epsilon: model.normEpsilon)
    }
    queries.rectify()
    keys.rectify()
    let values = linear(value, valueBias)
    let low = linear(gateLow, nil)
    let logits = FloatMatrix.product(low, transposed: gateHigh.value)
    logits.addToRows(gateBias.value)
    let decay = logits.copy
    decay.becomeLogDecay()
    let heads = GLASequences(model: model, segments: segments).forward(
      queries, keys, values, decay)
    let features = heads.copy
    features.normalizeHeads(by: outputNorm.values, epsilon: model.normEpsilon)
    return Trace(
      input: input, queryLinear: queryLinear, keyLinear: keyLinear, query: queries, key: keys,
      value: values, low: low, logits: logits, decay: decay, heads: heads, features: features)
  }

  /// The output of o_proj [T, H].
  func output(of trace: Trace) -> FloatMatrix {
    let result = FloatMatrix.product(trace.features, transposed: output.value)
    if let outputBias { result.addToRows(FloatMatrix(outputBias, rows: 1)) }
    return result
  }

  /// Sets every parameter's gradient from that of the output [T, H].
  func backward(_ trace: Trace, outputGradient: FloatMatrix, segments: Int) {
    output.gradient.setTransposedProduct(outputGradient, trace.features)
    let features = FloatMatrix.product(outputGradient, output.value)
    let heads = FloatMatrix(rows: features.rows, columns: features.columns)
    trace.heads.normBackward(
      weight: outputNorm.values, epsilon: model.normEpsilon, gradient: features, into: heads,
      weightGradient: outputNorm.gradient)
    let gradients = GLASequences(model: model, segments: segments).backward(
      trace.query, trace.key, trace.value, trace.decay, outputGradient: heads)
    gradients.query.maskWhereZero(trace.query)
    gradients.key.maskWhereZero(trace.key)
    gradients.decay.becomeLogitGradient(logits: trace.logits)
    let queries = unnormed(gradients.query, trace.queryLinear, queryNorm)
    let keys = unnormed(gradients.key, trace.keyLinear, keyNorm)
    for (gradient, weight, bias) in [
      (queries, query, queryBias), (keys, key, keyBias), (gradients.value, value, valueBias),
    ] {
      weight.gradient.setTransposedProduct(gradient, trace.input)
      bias.gradient.setColumnSums(of: gradient)
    }
    gateHigh.gradient.setTransposedProduct(gradients.decay, trace.low)
    gateBias.gradient.setColumnSums(of: gradients.decay)
    let low = FloatMatrix.product(gradients.decay, gateHigh.value)
    gateLow.gradient.setTransposedProduct(low, trace.input)
  }

  /// The gradient before a per-head norm, when there is one.
  private func unnormed(
    _ gradient: FloatMatrix, _ linear: FloatMatrix?, _ norm: [Float]?
  ) -> FloatMatrix {
    guard let linear, let norm else { return gradient }
    let result = FloatMatrix(rows: gradient.rows, columns: gradient.columns)
    linear.normBackward(
      weight: norm, epsilon: model.normEpsilon, gradient: gradient, into: result,
      weightGradient: nil)
    return result
  }
}

extension LinearMap {
  /// The weight as f32 [out, in].
  var matrix: FloatMatrix {
    let matrix = FloatMatrix(rows: weight.shape.rows, columns: weight.shape.columns)
    withExtendedLifetime(matrix) {
      RowDecoder.decode(weight, rows: 0..<weight.shape.rows, into: matrix.pointer)
    }
    return matrix
  }
}
