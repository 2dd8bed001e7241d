import Architectures
import Checkpoints
import TensorTypes
import Tokenization

extension ModelFile {
  /// Opens a GGUF file: metadata as configuration, tokenizer included.
  ///
  /// - Parameter name: the file, or its directory, as the user named it.
  init(gguf path: String, named name: String) throws {
    let file = try GGUFCheckpoint(path: path)
    guard file.metadata.string("general.architecture") != SpikingBrainGGUF.architecture else {
      try self.init(own: file, path: path, named: name)
      return
    }
    let translated = try GGUFConfiguration(file, path: path)
    let configuration = try translated.configuration()
    let architecture = try Architectures.of(configuration)
    var description = try architecture.describe(configuration)
    if translated.form.storesWholeNorms { description.normsAddOne = false }
    let notes = file.notes + (try translated.restNotes(description))
    let permuted = RowOrder.interleavedRotary(headDim: description.headDim)
    self.init(
      path: name, reader: file, configuration: configuration, architecture: architecture,
      description: description, names: try translated.names(),
      rowOrders: translated.form.isInterleaved ? [.query: permuted, .key: permuted] : [:],
      notes: notes,
      tokenizer: TokenizerSource(file.metadata, file: path))
  }

  /// Opens a file under our own architecture tag, which holds config.json as it is.
  private init(own file: GGUFCheckpoint, path: String, named name: String) throws {
    let configuration = Configuration(
      try SpikingBrainGGUF.configuration(file.metadata, file: path), file: path)
    let architecture = try Architectures.of(configuration)
    var description = try architecture.describe(configuration)
    try SpikingBrainGGUF.checkSizes(of: description, in: file.metadata, file: path)
    let notes = try configuration.restNotes()
    description.adoptMergedGates {
      file.tensor(named: architecture.names.name(of: $0) ?? "") != nil
    }
    var shown: any CheckpointReader = file, form = StoredForm.own
    if description.quantization != nil {
      shown = QuantizedReader(blocks: file, model: description, names: architecture.names)
      form = .blocks
    }
    self.init(
      path: name, reader: shown, configuration: configuration, architecture: architecture,
      description: description, names: architecture.names, form: form,
      notes: notes, tokenizer: TokenizerSource(file.metadata, file: path))
  }
}

extension GGUFTokenizerMetadata {
  /// The tokenizer keys of GGUF metadata.
  init(_ metadata: GGUFMetadata) {
    func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }
    self.init(
      model: metadata.string(key("model")) ?? "", tokens: metadata.strings(key("tokens")) ?? [])
    let architecture = metadata.string("general.architecture")
    spacelessTokens = Architectures.all.first { $0.modelType == architecture }?.spacelessTokens
    pre = metadata.string(key("pre"))
    scores = metadata.doubles(key("scores"))?.map { Float($0) }
    tokenTypes = metadata.ints(key("token_type"))
    merges = metadata.strings(key("merges"))
    bosID = metadata.int(key("bos_token_id"))
    eosID = metadata.int(key("eos_token_id"))
    unknownID = metadata.int(key("unknown_token_id"))
    paddingID = metadata.int(key("padding_token_id"))
    eotID = metadata.int(key("eot_token_id"))
    addsBOS = metadata.bool(key("add_bos_token"))
    addsEOS = metadata.bool(key("add_eos_token"))
    addsSpacePrefix = metadata.bool(key("add_space_prefix"))
    chatTemplate = metadata.string("tokenizer.chat_template")
  }
}
