public import Kernels
public import Mixers
import TensorTypes

extension ModelDescription {
  /// The model as its mixers see it.
  public var mixing: MixerModel {
    MixerModel(
      hiddenSize: hiddenSize, layout: headLayout, normEpsilon: normEpsilon,
      branchNormEpsilon: branchNormEpsilon,
      queryFactor: multipliers.scores.map { $0 * Double(headDim).squareRoot() } ?? 1,
      scoreCap: softCaps.scores, sinkCount: sinkCount, codesCache: spiking?.cache == .int8)
  }

  /// The heads as the attention kernels want them.
  public var headLayout: HeadLayout {
    HeadLayout(heads: heads, kvHeads: keyValueHeads, dimension: headDim)
  }

  /// The tensors that the mixer of layer `layer` has besides its projections.
  public func mixerTensors(ofLayer layer: Int) -> [MixerTensor] {
    layers[layer].mixer.form.tensors(in: mixing)
  }
}
