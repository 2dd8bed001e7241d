public import Architectures
import TensorTypes

/// `w4a16-g128`: INT4 weights by groups of 128 inputs, activations in 16 bits.
public enum W4A16Profile: CompressedTensorsProfile {
  public static let name = "w4a16-g128"
  public static let scheme = CompressedTensors(
    format: .packed, WeightQuantization(.int4, .group(128)), roundsActivations: false)
}
