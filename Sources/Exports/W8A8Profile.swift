public import Architectures
import TensorTypes

/// `w8a8`: INT8 weights by channel, activations rounded to INT8 by the loader.
public enum W8A8Profile: CompressedTensorsProfile {
  public static let name = "w8a8"
  public static let scheme = CompressedTensors(
    format: .integers, WeightQuantization(.int8, .channel), roundsActivations: true)
}
