public import Architectures
import Checkpoints
public import Conversion
public import ModelFiles
public import StepSettings
public import StrictJSON
import TensorTypes

/// A form of a checkpoint that a named loader accepts without another step.
///
/// Adding a profile is one file with a type that conforms, and its line in `ExportProfiles.all`.
public protocol ExportProfile: Sendable {
  /// What `--profile` calls it.
  static var name: String { get }
  /// Whose loader it is for, in a few words.
  static var loader: String { get }
  /// Whether how many ranks load it decides its files, or is checked.
  static var isDistributed: Bool { get }
  /// What will be written of the model in `file`; throws what cannot be.
  ///
  /// - Precondition: `file` is sound.
  static func contents(of file: ModelFile, settings: ExportSettings) throws -> ExportContents
}

extension ExportProfile {
  /// The same files for everyone.
  public static var isDistributed: Bool { false }
}

/// What a profile makes of a model. A tensor that is a part of another, or several put together, is
/// its transform's matter, which the manifest records.
public struct ExportContents: Sendable {
  /// The model as the profile holds it.
  public var description: ModelDescription
  /// Its config.json.
  public var configuration: JSONObject
  /// Its tensors in file order.
  public var tensors: [CheckpointPlan.PlannedTensor]
  /// What computes other numbers than the source, and what the loader needs.
  public var notes: [String]
  /// The format of the files.
  public var format: any TensorFiles.Type
  /// What files of that format say of the model beside its tensors.
  public var metadata = JSONObject()
  /// Files of code that runs it, and that goes on training it.
  public var code: [CheckpointPlan.CompanionFile] = []
  /// Whether a card goes beside the files: into a format of one file that holds all others it would not.
  public var hasCard = true
  /// How it is loaded, as Markdown; nil for what the profile's loader says.
  public var loading: String?

  /// Safetensors files, unless another format is given.
  public init(
    description: ModelDescription, configuration: JSONObject,
    tensors: [CheckpointPlan.PlannedTensor], notes: [String],
    format: any TensorFiles.Type = SafetensorsFiles.self
  ) {
    self.description = description
    self.configuration = configuration
    self.tensors = tensors
    self.notes = notes
    self.format = format
  }
}

/// The known profiles.
public enum ExportProfiles {
  /// Every profile, in the order of the help text.
  public static let all: [any ExportProfile.Type] = [
    HuggingFaceProfile.self, VLLMProfile.self, W8ASpikeProfile.self, W8A8Profile.self,
    W8A16Profile.self, W4A16Profile.self, SpikingBrainProfile.self, MegatronTorchProfile.self,
    MegatronDistProfile.self, GGUFProfile.self,
  ]

  /// The profile called `name`.
  public static func named(_ name: String) throws(ExportError) -> any ExportProfile.Type {
    guard let profile = all.first(where: { $0.name == name }) else {
      throw .unknownProfile(name, known: all.map { $0.name })
    }
    return profile
  }

  /// The plan of exporting the checkpoint `file`.
  public static func plan(_ file: ModelFile, settings: ExportSettings) throws -> CheckpointPlan {
    let profile = try named(settings.profile)
    guard profile.isDistributed || settings.topology.isSingle else {
      throw ExportError.topology(profile: profile.name)
    }
    try file.requireSound()
    var contents = try profile.contents(of: file, settings: settings)
    if !settings.autoMap { contents.configuration[GLASwa.autoMapKey] = nil }
    if !settings.autoMap { contents.code = [] }
    let history = try file.history()
    let notes = file.notes + history.news + contents.notes + casts(in: contents.tensors)
    var companions = try file.companionFiles() + contents.code
    if !contents.code.isEmpty {
      let names = Set(companions.map(\.name))
      if names.contains("tokenizer.json"), !names.contains(ModelCodeFiles.tokenizerFile) {
        companions.append(
          ModelCodeFiles.tokenizerConfiguration(
            of: contents.description, try? file.tokenizer.load()))
      }
    }
    if contents.hasCard {
      let card = ModelCard(
        file: file, contents: contents, profile: profile, notes: notes,
        companions: companions.map(\.name))
      companions.append(.init(name: ModelCard.fileName, content: .text(try card.text())))
    }
    var plan = CheckpointPlan(
      description: contents.description,
      configuration: contents.configuration.declaring(contents.tensors.first?.type),
      tensors: contents.tensors, companions: companions,
      shardSize: settings.shardSize,
      recipe: JSONObject(
        step: .export, settings: settings.fields, before: history.recipe),
      source: file.origin, notes: notes)
    plan.format = contents.format
    plan.metadata = contents.metadata
    return plan
  }

  /// Which types lose digits on the way, in words.
  private static func casts(in tensors: [CheckpointPlan.PlannedTensor]) -> [String] {
    let casts = Set(
      tensors.filter { $0.type.isFloat && $0.type.blockBytes < 4 }
        .map { ($0.transform.record.castTypes.map(\.rawValue), $0.type.rawValue) }
        .filter { !$0.0.isEmpty }
        .map { "cast from \($0.0.joined(separator: ", ")) to \($0.1)" })
    return casts.isEmpty ? [] : ["Rounded: \(casts.sorted().joined(separator: "; "))."]
  }
}
