import Architectures
public import ModelFiles
public import StepSettings
import StrictJSON

/// `hf`: a directory that `transformers`, and whatever reads such directories, loads.
public enum HuggingFaceProfile: ExportProfile {
  public static let name = "hf"
  public static let loader = "transformers and what reads its directories"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    let form = try HuggingFaceForm(floating: file, profile: name)
    var configuration = form.configuration
    if form.architecture == GLASwa.self, configuration[GLASwa.autoMapKey] == nil {
      configuration[GLASwa.autoMapKey] = GLASwa.autoMap
    }
    return ExportContents(
      description: form.description, configuration: configuration,
      tensors: try form.tensors(of: file, dtype: settings.dtype), notes: form.notes)
  }
}
