import Architectures
public import ModelFiles
public import StepSettings
import TensorTypes

/// `w8a8`: INT8 weights by channel, activations rounded to INT8 by the loader.
public enum W8A8Profile: ExportProfile {
  public static let name = "w8a8"
  public static let loader = "vLLM and what reads compressed-tensors, INT8 kernels"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    try CompressedTensorsExport(
      profile: name,
      scheme: .init(
        format: .integers, WeightQuantization(.int8, .channel), roundsActivations: true),
      file: file, settings: settings
    ).contents()
  }
}
