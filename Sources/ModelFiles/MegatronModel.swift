import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TensorTypes

/// What a checkpoint of Megatron is a model of: what the config.json beside it says, or, without one,
/// the arguments of the training.
struct MegatronModel {
  let configuration: Configuration
  let architecture: any Architecture.Type
  let description: ModelDescription
  /// What the user should know of the configuration.
  let notes: [String]
  /// Where the config.json lies, or would.
  let directory: String

  /// The model of the checkpoint `path`, with the arguments that `file` holds and tensors called `keys`.
  init(
    _ path: String, arguments: JSONObject, file: String, keys: some Sequence<String>
  ) throws {
    let found = try MegatronModel.configuration(path, arguments, file)
    var configuration = found.configuration
    var architecture = try Architectures.of(configuration)
    var description = try architecture.describe(configuration)
    // Without a config.json the configuration is this program's own.
    notes = found.directory == nil ? [] : try configuration.restNotes()
    if found.directory == nil, let complete = Architectures.source(of: description) {
      (architecture, configuration) = (
        complete.architecture, Configuration(complete.configuration, file: file)
      )
    }
    if keys.contains(where: { $0.hasSuffix(MegatronShards.mergedGateSuffix) }) {
      description.adoptMergedGates { $0.role == .gateMerged }
    }
    self.configuration = configuration
    self.architecture = architecture
    self.description = description
    directory = found.directory ?? path
  }

  /// The config.json of the checkpoint, in its directory or above that of the iteration.
  private static func configuration(
    _ path: String, _ arguments: JSONObject, _ argumentFile: String
  ) throws -> (configuration: Configuration, directory: String?) {
    let above = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let hasTracker = FileManager.default.fileExists(
      atPath: path + "/" + MegatronCheckpoint.trackerName)
    for directory in hasTracker ? [path] : [path, above] {
      let file = directory + "/config.json"
      guard FileManager.default.fileExists(atPath: file) else { continue }
      return (Configuration(try JSONFile.object(file), file: file), directory)
    }
    guard !arguments.members.isEmpty else { throw ModelFileError.noConfiguration(path: path) }
    let object = try MegatronArguments.configuration(arguments, file: argumentFile)
    return (Configuration(object, file: argumentFile), nil)
  }
}
