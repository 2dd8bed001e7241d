import Architectures
import Conversion
public import ModelFiles
public import StepSettings
import StrictJSON
import TensorTypes

/// `gguf`: everything in GGUF files under our own architecture tag, for archives and inspection. Its
/// layout is `formats/gguf/README.md`.
public enum GGUFProfile: ExportProfile {
  public static let name = "gguf"
  public static let loader = "GGUF tools and this program; llama.cpp does not run it"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    let model = try GGUFForm(file)
    var contents = ExportContents(
      description: model.description, configuration: model.configuration,
      tensors: try model.description.stored(under: model.architecture.names).compactMap { stored in
        stored.pieces.count > 1
          ? try file.copy(stored, dtype: settings.dtype)
          : try tensor(stored.pieces[0], of: file, as: model, dtype: settings.dtype)
      },
      notes: notes(model.description), format: GGUFFiles.self)
    contents.hasCard = false
    return contents
  }

  /// How `requirement` is written; nil for scales, which are part of their weights' blocks.
  private static func tensor(
    _ requirement: ModelDescription.Requirement, of file: ModelFile, as model: GGUFForm,
    dtype: OutputType
  ) throws -> CheckpointPlan.PlannedTensor? {
    let address = requirement.address, shape = requirement.shape
    guard address.parameter != .scale else { return nil }
    guard let name = model.architecture.names.name(of: address) else {
      throw ConversionError.noName("\(address)")
    }
    guard let quantization = model.description.quantization(of: address),
      address.parameter == .weight
    else { return try file.copy(address, named: name, dtype: dtype) }
    let codes = quantization.codes, type = codes.blocks, block = type.blockElements
    let columns = shape.columns * codes.perElement
    guard columns % block == 0 else {
      throw ExportError.inputs(tensor: name, count: columns, groupSize: block)
    }
    let blocks = WeightQuantization(codes, .group(block))
    guard
      let weight = QuantizedRows(
        try file.codeOrigin(address), blocks, scaleType: .float16, name: name)
    else { throw file.granularityError(profile: self.name, needed: blocks) }
    return .init(
      address, name: name, shape: [shape.rows, columns], type: type,
      transform: BlockTransform(weight: weight))
  }

  private static func notes(_ model: ModelDescription) -> [String] {
    var notes = [
      "The architecture is \"\(SpikingBrainGGUF.architecture)\": GGUF tools list and read the files; "
        + "llama.cpp refuses to run them."
    ]
    if let codes = model.quantization?.codes {
      notes.append(
        "\(codes.text) weights are \(codes.blocks.rawValue.uppercased()) blocks of 32: the same codes, "
          + "scales rounded to float16 and repeated.")
    }
    return notes
  }
}

/// What a GGUF file says that a model is: its config.json, and whose names its tensors have.
private struct GGUFForm {
  let architecture: any Architecture.Type
  let description: ModelDescription
  let configuration: JSONObject

  /// Directories as they are; compressed-tensors in our own layout; foreign GGUF files as the
  /// directory of their architecture.
  init(_ file: ModelFile) throws {
    switch file.form {
    case .w8aspike:
      throw ExportError.cannotHold(
        profile: GGUFProfile.name,
        what: ["W8ASpike weights (the checkpoint that they were made from can)"], path: file.path)
    case .compressed:
      architecture = SpikingBrainLayout.self
      description = file.description
      configuration = SpikingBrainLayout.configuration(of: file.description)
    case .own, .blocks, .megatron, .dequantized:
      guard file.hasConfiguration else {
        let form = try HuggingFaceForm(file, profile: GGUFProfile.name)
        (architecture, description) = (form.architecture, form.description)
        configuration = form.configuration
        return
      }
      architecture = file.architecture
      description = file.description
      configuration = file.configuration.object
    }
  }
}
