import Architectures
import Conversion
public import ModelFiles
public import StepSettings
import StrictJSON

/// `spikingbrain`: the model as it is, in the directory that this program reads: what brings a
/// checkpoint that was cut for ranks back together.
public enum SpikingBrainProfile: ExportProfile {
  public static let name = "spikingbrain"
  public static let loader = "this program"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    guard file.form == .own || file.isAssembled else {
      throw ExportError.cannotHold(
        profile: name, what: ["INT8 weights in the form of another loader"], path: file.path)
    }
    let (architecture, configuration) = file.directoryForm
    var description = file.description
    description.modelType = architecture.modelType
    return ExportContents(
      description: description, configuration: configuration,
      tensors: try description.stored(under: architecture.names).map { stored in
        try file.copy(stored, dtype: settings.dtype)
      },
      notes: [])
  }
}

extension ModelFile {
  /// The architecture and config.json of the model as a directory: those it has, or, for a GGUF file,
  /// those of the source architecture or of our own layout that say the same.
  var directoryForm: (architecture: any Architecture.Type, configuration: JSONObject) {
    if hasConfiguration { return (architecture, configuration.object) }
    if let found = Architectures.source(of: description) { return found }
    var own = description
    own.modelType = SpikingBrainLayout.modelType
    return (SpikingBrainLayout.self, SpikingBrainLayout.configuration(of: own))
  }
}
