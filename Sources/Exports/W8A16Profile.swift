public import Architectures
import TensorTypes

/// `w8a16-g128`: INT8 weights by groups of 128 inputs, activations in 16 bits.
public enum W8A16Profile: CompressedTensorsProfile {
  public static let name = "w8a16-g128"
  public static let scheme = CompressedTensors(
    format: .packed, WeightQuantization(.int8, .group(128)), roundsActivations: false)
}
