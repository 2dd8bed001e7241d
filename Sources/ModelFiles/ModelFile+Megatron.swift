import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TensorTypes

extension ModelFile {
  /// Opens a checkpoint of Megatron's ranks. What the model is says the config.json beside it, or,
  /// without one, the arguments of the training.
  init(megatron path: String) throws {
    let stored = try MegatronCheckpoint(path: path)
    let (arguments, argumentFile) = stored.arguments
    let topology = try MegatronArguments.topology(arguments, file: argumentFile)
    try MegatronShards.checkRanks(stored, topology: topology)
    var (configuration, directory) = try ModelFile.configuration(path, arguments, argumentFile)
    var architecture = try Architectures.of(configuration)
    var description = try architecture.describe(configuration)
    if directory == nil, let complete = Architectures.source(of: description) {
      (architecture, configuration) = (
        complete.architecture, Configuration(complete.configuration, file: argumentFile)
      )
    }
    let merged = MegatronShards.mergedGateSuffix
    if stored.tensors.contains(where: { $0.name.hasSuffix(merged) }) {
      description.adoptMergedGates { $0.role == .gateMerged }
    }
    let mapping: MegatronMapping
    do throws(MegatronTopologyError) {
      mapping = try MegatronMapping(
        description, topology: topology,
        vocabularyRows: MegatronShards.vocabularyRows(in: stored, topology: topology, description))
    } catch {
      throw ConfigurationError.inconsistent(error.what, file: argumentFile)
    }
    self.init(
      path: path,
      reader: MegatronReader(stored, mapping: mapping, names: architecture.names),
      configuration: configuration, architecture: architecture,
      description: description, names: architecture.names, form: .megatron(topology),
      tokenizer: .directory(directory ?? path))
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
    let object = try MegatronArguments.configuration(arguments, file: argumentFile)
    return (Configuration(object, file: argumentFile), nil)
  }
}
