import Architectures
public import ModelFiles
public import Recipes

/// `hf`: a directory that `transformers`, and whatever reads such directories, loads.
public enum HuggingFaceProfile: ExportProfile {
  public static let name = "hf"
  public static let loader = "transformers and what reads its directories"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    var obstacles: [String] = []
    if file.description.int8Weights != nil {
      obstacles.append("INT8 weights (w8aspike, w8a8 and w8a16-g128 can)")
    }
    if file.description.spiking != nil {
      obstacles.append("spiking thresholds (w8aspike can)")
    }
    guard obstacles.isEmpty else {
      throw ExportError.cannotHold(profile: name, what: obstacles, path: file.path)
    }
    let form = try HuggingFaceForm(file, profile: name)
    return ExportContents(
      description: form.description, configuration: form.configuration,
      tensors: try form.description.requirements.map { requirement in
        try file.copy(
          requirement.address, named: form.name(of: requirement.address), dtype: settings.dtype)
      },
      notes: form.notes)
  }
}
