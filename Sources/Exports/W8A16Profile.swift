import Architectures
public import ModelFiles
public import StepSettings
import TensorTypes

/// `w8a16-g128`: INT8 weights by groups of 128 inputs, activations in 16 bits.
public enum W8A16Profile: ExportProfile {
  public static let name = "w8a16-g128"
  public static let loader = "vLLM and what reads compressed-tensors, weight-only kernels"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    try CompressedTensorsExport(
      profile: name,
      scheme: .init(
        format: .packed, WeightQuantization(.int8, .group(128)), roundsActivations: false),
      file: file, settings: settings
    ).contents()
  }
}
