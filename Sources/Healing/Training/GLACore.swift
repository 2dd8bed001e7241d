import Architectures
import Kernels
import Runtime
import TensorTypes

/// Gated linear attention between the projections and o_proj, trainable: ReLU features, a low-rank
/// decay gate, the recurrence, and the per-head output norm.
struct GLACore: MixingCore {
  private let model: ModelDescription
  let gateLow: Parameter
  let gateHigh: Parameter
  let gateBias: Parameter
  let outputNorm: Parameter

  /// - Parameter gateBias: where the gates' biases start; nil keeps the stored ones.
  init(_ weights: LayerWeights, model: ModelDescription, gateBias: Double?) throws {
    guard let gate = weights.gate, let low = gate.low, let norm = weights.outputNorm else {
      throw HealingError.differentModels("a layer has no low-rank gate")
    }
    self.model = model
    gateLow = Parameter(.gateLow, low, rate: Parameter.normRate)
    gateHigh = Parameter(.gateHigh, gate.high, rate: Parameter.normRate)
    let width = model.keyValueWidth
    self.gateBias = Parameter(
      .gateHigh, .bias,
      gateBias.map { [Float](repeating: Float($0), count: width) }
        ?? gate.high.bias ?? [Float](repeating: 0, count: width), rate: Parameter.normRate)
    outputNorm = Parameter(.outputNorm, .weight, norm, rate: Parameter.normRate)
  }

  var parameters: [Parameter] { [gateLow, gateHigh, gateBias, outputNorm] }

  func mix(_ projections: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    let (query, key, value) = (projections.query, projections.key, projections.value)
    query.rectify()
    key.rectify()
    let low = FloatMatrix.product(input, transposed: gateLow.value)
    let logits = FloatMatrix.product(low, transposed: gateHigh.value)
    logits.addToRows(gateBias.value)
    let decay = logits.copy
    decay.becomeLogDecay()
    let sequences = GLASequences(model: model, segments: segments)
    let heads = sequences.forward(query, key, value, decay)
    let features = heads.copy
    features.normalizeHeads(by: outputNorm.values, epsilon: model.normEpsilon)
    return MixedHeads(features: features) { [self] gradient, inputGradient in
      let headGradient = FloatMatrix(rows: heads.rows, columns: heads.columns)
      heads.normBackward(
        weight: outputNorm.values, epsilon: model.normEpsilon, gradient: gradient,
        into: headGradient,
        weightGradient: outputNorm.isTrained ? outputNorm.gradient : nil)
      let (result, logitGradient) = sequences.backward(
        query, key, value, decay, outputGradient: headGradient)
      result.query.maskWhereZero(query)
      result.key.maskWhereZero(key)
      logitGradient.becomeLogitGradient(logits: logits)
      gateHigh.addGradient(outputs: logitGradient, inputs: low)
      gateBias.addGradient(outputs: logitGradient)
      let lowGradient = FloatMatrix.product(logitGradient, gateHigh.value)
      gateLow.addGradient(outputs: lowGradient, inputs: input)
      inputGradient?.addProduct(lowGradient, gateLow.value)
      return result
    }
  }
}

/// Gated linear attention over whole segments, each from an empty state.
struct GLASequences {
  let model: ModelDescription
  let segments: Int

  /// Head outputs [T, heads·d].
  func forward(
    _ query: FloatMatrix, _ key: FloatMatrix, _ value: FloatMatrix, _ decay: FloatMatrix
  ) -> FloatMatrix {
    let output = FloatMatrix(rows: query.rows, columns: model.queryWidth)
    withExtendedLifetime((query, key, value, decay, output)) {
      GatedLinearAttention.applySegments(
        queries: query.pointer, keys: key.pointer, values: value.pointer, logDecay: decay.pointer,
        segments: segments, tokens: query.rows / segments, layout: model.headLayout,
        output: output.pointer)
    }
    return output
  }

  /// Gradients of q, k and v, and of the log-decay, from that of the head outputs.
  func backward(
    _ query: FloatMatrix, _ key: FloatMatrix, _ value: FloatMatrix, _ decay: FloatMatrix,
    outputGradient: FloatMatrix
  ) -> (Projections, decay: FloatMatrix) {
    let gradients = Projections(query: query.unset, key: key.unset, value: value.unset)
    let decayGradient = decay.unset
    withExtendedLifetime((query, key, value, decay, outputGradient, gradients, decayGradient)) {
      GatedLinearAttention.backward(
        queries: query.pointer, keys: key.pointer, values: value.pointer, logDecay: decay.pointer,
        outputGradient: outputGradient.pointer, segments: segments,
        tokens: query.rows / segments, layout: model.headLayout,
        queryGradient: gradients.query.pointer, keyGradient: gradients.key.pointer,
        valueGradient: gradients.value.pointer, logDecayGradient: decayGradient.pointer)
    }
    return (gradients, decayGradient)
  }
}
