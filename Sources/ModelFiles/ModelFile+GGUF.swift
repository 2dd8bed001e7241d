import Architectures
import Checkpoints
import TensorTypes
import Tokenization

extension ModelFile {
  /// Opens a GGUF file: metadata as configuration, tokenizer included.
  init(gguf path: String) throws {
    let file = try GGUFFile(path: path)
    let translated = try GGUFConfiguration(file, path: path)
    let configuration = try translated.configuration()
    let architecture = try Architectures.of(configuration)
    let description = try architecture.describe(configuration)
    if let rotated = file.metadata.int("\(translated.architecture).rope.dimension_count"),
      rotated != description.headDim
    {
      throw ModelFileError.ggufKey(
        "\(translated.architecture).rope.dimension_count",
        reason: "is \(rotated); only fully rotated heads (\(description.headDim)) are supported",
        file: path)
    }
    // Files of architecture llama store q and k for interleaved rotary pairs; others do not.
    let permuted = RowOrder.interleavedRotary(headDim: description.headDim)
    self.init(
      path: path, reader: file, configuration: configuration, architecture: architecture,
      description: description, names: GGUFNames.table,
      rowOrders: translated.architecture == "llama" ? [.query: permuted, .key: permuted] : [:],
      tokenizer: .gguf(GGUFTokenizerMetadata(file.metadata), file: path))
  }
}

extension GGUFTokenizerMetadata {
  /// The tokenizer keys of GGUF metadata.
  init(_ metadata: GGUFMetadata) {
    func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }
    self.init(
      model: metadata.string(key("model")) ?? "", tokens: metadata.strings(key("tokens")) ?? [])
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
