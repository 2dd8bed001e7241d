import Kernels
import TensorTypes

/// Gated linear attention with gradients for its decay gate and its norm.
struct GatedLinearTraining: MixerTraining {
  private let model: MixerModel
  /// nil where the gate is one matrix.
  let gateLow: Parameter?
  let gateHigh: Parameter
  let gateBias: Parameter
  let outputNorm: Parameter

  init(_ layer: GatedLinearLayer, gateBias: Double?) {
    model = layer.model
    gateLow = layer.low.map { Parameter(.gateLow, $0, rate: Parameter.normRate) }
    gateHigh = Parameter(layer.highRole, layer.high, rate: Parameter.normRate)
    let width = model.layout.keyWidth
    self.gateBias = Parameter(
      layer.highRole, .bias,
      gateBias.map { [Float](repeating: Float($0), count: width) }
        ?? layer.high.bias ?? [Float](repeating: 0, count: width), rate: Parameter.normRate)
    outputNorm = Parameter(.outputNorm, .weight, layer.outputNorm, rate: Parameter.normRate)
  }

  var parameters: [Parameter] {
    [gateLow, gateHigh, gateBias, outputNorm].compactMap(\.self)
  }

  func mix(_ heads: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    let low = gateLow.map { FloatMatrix.product(input, transposed: $0.value) } ?? input
    let logits = FloatMatrix.product(low, transposed: gateHigh.value)
    logits.addToRows(gateBias.values)
    let inputs = GatedLinearLayer.inputs(heads, gateLogits: logits.copy)
    let unnormed = inputs.whole(model.layout, segments: segments)
    let features = unnormed.copy
    features.normalizeHeads(by: outputNorm.values, epsilon: model.normEpsilon)
    return MixedHeads(features: features) { [self] gradient, inputGradient in
      let headGradient = unnormed.unset
      unnormed.normBackward(
        weight: outputNorm.values, epsilon: model.normEpsilon, gradient: gradient,
        into: headGradient,
        weightGradient: outputNorm.gradientIfTrained)
      let (result, logitGradient) = inputs.backward(
        model.layout, segments: segments, outputGradient: headGradient)
      result.query.maskWhereZero(heads.query)
      result.key.maskWhereZero(heads.key)
      logitGradient.becomeLogitGradient(logits: logits)
      gateHigh.addGradient(outputs: logitGradient, inputs: low)
      gateBias.addGradient(outputs: logitGradient)
      guard let gateLow else {
        inputGradient?.addProduct(logitGradient, gateHigh.value)
        return result
      }
      let lowGradient = FloatMatrix.product(logitGradient, gateHigh.value)
      gateLow.addGradient(outputs: lowGradient, inputs: input)
      inputGradient?.addProduct(lowGradient, gateLow.value)
      return result
    }
  }
}
