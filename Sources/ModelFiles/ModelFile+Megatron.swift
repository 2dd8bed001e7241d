import Architectures
import Checkpoints
import StrictJSON
import TensorTypes
import Tokenization

extension ModelFile {
  /// Opens a checkpoint of Megatron's ranks.
  init(megatron path: String) throws {
    let stored = try MegatronCheckpoint(path: path)
    let (arguments, argumentFile) = stored.arguments
    let topology = try MegatronArguments.topology(arguments, file: argumentFile)
    try MegatronShards.checkRanks(stored, topology: topology)
    let model = try MegatronModel(
      path, arguments: arguments, file: argumentFile, keys: stored.tensors.lazy.map(\.name))
    let mapping: MegatronMapping
    do throws(MegatronTopologyError) {
      mapping = try MegatronMapping(
        model.description, topology: topology,
        vocabularyRows: MegatronShards.vocabularyRows(
          in: stored, topology: topology, model.description))
    } catch {
      throw ConfigurationError.inconsistent(error.what, file: argumentFile)
    }
    let shards = MegatronShards(stored, mapping: mapping)
    self.init(
      path: path, model,
      reader: MegatronReader(
        stored, parts: shards, mapping: mapping, names: model.architecture.names),
      topology: topology)
  }

  /// Opens a distributed checkpoint: of Megatron, or of a model under its Hugging Face names with a
  /// config.json beside it.
  init(distributed path: String) throws {
    let stored = try DistributedCheckpoint(path: path)
    guard let embedding = stored.tensor(named: MegatronParameter.embeddingName) else {
      try self.init(directory: path) { stored }
      return
    }
    let found = try DistributedCheckpoint.arguments(in: path)
    let arguments = found?.object ?? JSONObject(), argumentFile = found?.file ?? path
    let model = try MegatronModel(
      path, arguments: arguments, file: argumentFile, keys: stored.tensors.lazy.map(\.name))
    let rows = embedding.shape.dimensions.first ?? 0
    let isPadded =
      rows >= model.description.vocabularySize && rows <= Configuration.largestDimension
    // As if by one rank: where the chunks lie is said in the checkpoint itself.
    let mapping = try MegatronMapping(
      model.description, topology: MegatronTopology(), vocabularyRows: isPadded ? rows : nil)
    let parts = DistributedParts(stored, mapping: mapping)
    self.init(
      path: path, model,
      reader: MegatronReader(
        DistributedChunks(of: stored), parts: parts, mapping: mapping,
        names: model.architecture.names),
      topology: try MegatronArguments.topology(arguments, file: argumentFile))
  }

  private init(
    path: String, _ model: MegatronModel, reader: MegatronReader, topology: MegatronTopology
  ) {
    self.init(
      path: path, reader: reader, configuration: model.configuration,
      architecture: model.architecture, description: model.description,
      names: model.architecture.names, form: .megatron(topology),
      notes: model.notes, tokenizer: .files(.directory(model.directory)))
  }
}
