import Architectures
import ModelFiles
import TensorTypes

/// A source directory written as a GGUF file, the way llama.cpp's converter does it.
public struct GGUFModel {
  /// The values of each tensor by its directory name, after quantisation, in logical order.
  public private(set) var values: [String: [Float]] = [:]
  /// The file.
  public private(set) var writer = GGUFWriter()

  /// The metadata and tensors of the checkpoint in `directory`, as architecture `architecture`.
  public init(
    _ directory: String, as architecture: String, quantised: Bool = false, divisors: [Float]? = nil,
    omitting: Set<String> = [], vocabularySize: Int = 320, pre: String? = "gpt-2"
  ) throws {
    let file = try ModelFile.open(directory)
    let model = file.description
    writer.set("general.architecture", architecture)
    for (key, value) in [
      ("embedding_length", model.hiddenSize), ("block_count", model.layers.count),
      ("feed_forward_length", model.feedForwardSize), ("attention.head_count", model.heads),
      ("attention.head_count_kv", model.keyValueHeads), ("context_length", model.maximumPositions),
      ("attention.key_length", model.headDim), ("rope.dimension_count", model.headDim),
    ] where !omitting.contains(key) {
      writer.set("\(architecture).\(key)", value)
    }
    for (key, value) in [
      ("attention.layer_norm_rms_epsilon", model.normEpsilon),
      ("rope.freq_base", model.rotary.theta),
    ] where !omitting.contains(key) {
      writer.set("\(architecture).\(key)", Float(value))
    }
    addTokenizer(size: vocabularySize, pre: pre)
    if let divisors { writer.tensor("rope_freqs.weight", [divisors.count], divisors) }
    for stored in model.stored(under: GGUFNames.table) {
      if stored.isStacked {
        try add(stored, from: file)
        continue
      }
      for requirement in stored.pieces {
        try add(
          requirement, from: file, permuted: ["llama", "smollm3"].contains(architecture),
          quantised: quantised)
      }
    }
  }

  /// The matrices of all experts as one tensor.
  private mutating func add(
    _ stacked: ModelDescription.StoredRequirement, from file: ModelFile
  ) throws {
    let values = try stacked.pieces.flatMap { piece in
      try Array(file.view(piece.address).bytes).withUnsafeBytes {
        Array($0.bindMemory(to: Float.self))
      }
    }
    writer.tensor(stacked.name ?? "", stacked.shape, values)
  }

  /// Bytes 0…255, "th" and unused tokens: a byte-level BPE with one merge.
  private mutating func addTokenizer(size: Int, pre: String?) {
    // GPT-2's letters for bytes: printable ones stand for themselves, others from U+0100 on.
    var letters: [String] = [], next: UInt32 = 0x100
    for byte in 0..<256 {
      let isPrintable =
        (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || byte >= 0xae
      let scalar = Unicode.Scalar(isPrintable ? UInt32(byte) : next)
      if !isPrintable { next += 1 }
      letters.append(scalar.map { String(Character($0)) } ?? "")
    }
    writer.set("tokenizer.ggml.model", "gpt2")
    if let pre { writer.set("tokenizer.ggml.pre", pre) }
    letters.append("th")
    let unused = (257..<size).map { "<|unused_\($0)|>" }
    writer.set("tokenizer.ggml.tokens", letters + unused)
    writer.set(
      "tokenizer.ggml.token_type",
      [Int](repeating: 1, count: 257) + [Int](repeating: 3, count: size - 257))
    writer.set("tokenizer.ggml.merges", ["t h"])
    writer.set("tokenizer.ggml.bos_token_id", 1)
    writer.set("tokenizer.ggml.eos_token_id", 2)
  }

  private mutating func add(
    _ requirement: ModelDescription.Requirement, from file: ModelFile, permuted: Bool,
    quantised: Bool
  ) throws {
    guard let name = file.architecture.names.name(of: requirement.address),
      let stored = GGUFNames.table.name(of: requirement.address)
    else { return }
    let bytes = try Array(file.view(requirement.address).bytes)
    var values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    // Norms that multiply by 1 + w are stored as that.
    if file.description.normsAddOne, file.description.addsOne(requirement.address.role) {
      values = values.map { $0 + 1 }
    }
    let columns = requirement.shape.dimensions.count == 1 ? 1 : requirement.shape.columns
    let isRotary = permuted && [.query, .key].contains(requirement.address.role)
    let rows = isRotary ? interleaved(values.count / columns, file.description.headDim) : nil
    let laid = rows.map { $0.flatMap { values[$0 * columns..<($0 + 1) * columns] } } ?? values
    guard quantised, requirement.shape.dimensions.count == 2, columns % 32 == 0 else {
      writer.tensor(stored, requirement.shape, laid)
      self.values[name] = values
      return
    }
    let rounded = writer.quantised(stored, requirement.shape, laid)
    var logical = rounded
    for (place, row) in (rows ?? []).enumerated() {
      logical.replaceSubrange(
        row * columns..<(row + 1) * columns, with: rounded[place * columns..<(place + 1) * columns])
    }
    self.values[name] = logical
  }

  /// Which logical row lies at each stored row: pairs (i, i + d/2) side by side.
  private func interleaved(_ rows: Int, _ headDim: Int) -> [Int] {
    (0..<rows).map { row in
      let inner = row % headDim
      return row - inner + inner / 2 + (inner % 2) * headDim / 2
    }
  }
}
