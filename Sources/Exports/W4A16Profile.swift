import Architectures
public import ModelFiles
public import StepSettings
import TensorTypes

/// `w4a16-g128`: INT4 weights by groups of 128 inputs, activations in 16 bits.
public enum W4A16Profile: ExportProfile {
  public static let name = "w4a16-g128"
  public static let loader = "vLLM and what reads compressed-tensors, weight-only kernels"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    try CompressedTensorsExport(
      profile: name,
      scheme: .init(
        format: .packed, WeightQuantization(.int4, .group(128)), roundsActivations: false),
      file: file, settings: settings
    ).contents()
  }
}
