import Architectures
import Conversion
public import ModelFiles
public import StepSettings
import StrictJSON
import TensorTypes

/// `hf`: a directory that `transformers`, and whatever reads such directories, loads.
///
/// Source architectures are what they are there. Converted models bring Python code of this program: those
/// that fit the public 7B layout in that one, all others as they are in our own.
public enum HuggingFaceProfile: ExportProfile {
  public static let name = "hf"
  public static let loader = "transformers and what reads its directories"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    var contents: ExportContents, architecture: any Architecture.Type = SpikingBrainLayout.self
    do {
      let form = try HuggingFaceForm(floating: file, profile: name)
      architecture = form.architecture
      contents = ExportContents(
        description: form.description, configuration: form.configuration,
        tensors: try form.tensors(of: file, dtype: settings.dtype),
        notes: settings.code == .own ? [] : form.notes)
    } catch ExportError.cannotHold
      where settings.code == .own && file.architecture == SpikingBrainLayout.self
    {
      contents = try SpikingBrainProfile.contents(of: file, settings: settings)
    }
    guard !architecture.isSource else {
      contents.loading = ModelCodeFiles.loading(hasCode: false)
      return contents
    }
    switch settings.code {
    case .own:
      contents.configuration[GLASwa.autoMapKey] = ModelCodeFiles.autoMap(of: architecture)
      // This program sees it in the tensors' names, the code before it has them.
      if contents.tensors.contains(where: { $0.address?.role == .gateMerged }) {
        contents.configuration[GLASwa.mergedGatesKey] = true
      }
      contents.code = ModelCodeFiles.all + ModelCodeFiles.trainer
      contents.loading = ModelCodeFiles.loading(hasCode: true)
    case .upstream where contents.configuration[GLASwa.autoMapKey] == nil:
      contents.configuration[GLASwa.autoMapKey] = GLASwa.autoMap
    case .upstream: break
    }
    return contents
  }
}
