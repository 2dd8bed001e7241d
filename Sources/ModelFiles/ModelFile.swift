public import Architectures
public import Checkpoints
import Foundation
import StrictJSON
public import TensorTypes
import Tokenization

/// An opened checkpoint whose tensors are matched with what its configuration calls for.
///
/// Opening reads headers and configurations only. A structure that does not fit is recorded in
/// `problems`, so that `inspect` can show it; everything else calls `requireSound()` first.
public struct ModelFile: WeightSource {
  /// The directory or file as the user named it.
  public let path: String
  /// The tensors, foreign quantised forms shown as our own layouts hold them.
  public let reader: any CheckpointReader
  /// The tensors as the files hold them.
  public let stored: any CheckpointReader
  /// How the files hold the tensors of the model.
  public let form: StoredForm
  /// The configuration, in the terms of a Hugging Face config.json.
  public private(set) var configuration: Configuration
  /// The architecture that read the configuration.
  public let architecture: any Architecture.Type
  /// What the model is.
  public private(set) var description: ModelDescription
  /// Where each tensor of the model is stored.
  public private(set) var tensors: [TensorAddress: StoredTensor]
  /// Names in the files that the model does not need.
  public internal(set) var ignored: [String]
  /// How the files and the configuration disagree; empty when they do not.
  public internal(set) var problems: [StructureProblem]
  /// What the user should know of how the files were read: one sentence each.
  public internal(set) var notes: [String]
  /// Where the tokenizer comes from.
  public let tokenizer: TokenizerSource

  /// What is left out of the files on request.
  package internal(set) var leftOut = LeftOut()
  /// The adapter that it was opened with; nil for none.
  package internal(set) var adapters: AdapterFacts?

  /// What the adapter makes of tensors, and of stored ones that are several.
  var adapted: [TensorAddress: AdaptedTensor] = [:]
  var adaptedWholes: [String: AdaptedTensor] = [:]
  /// Layers of which the files hold anything.
  let heldLayers: Set<Int>
  /// What the files call the tensors.
  let names: NameTable
  /// Where tensors lie that are pieces of a stored one.
  let pieces: [TensorAddress: Piece]
  /// How rows lie in storage, for the roles that some formats permute.
  private let rowOrders: [TensorAddress.Role: RowOrder]

  /// How files hold the tensors of a model.
  public enum StoredForm: Sendable, Equatable {
    /// As our own layouts do, or there are none.
    case own
    /// Weights in floating point with scales beside them.
    case w8aspike
    /// As GGUF blocks of 32 codes with a float16 scale.
    case blocks
    /// As the `quantization_config` says.
    case compressed(CompressedTensors)
    /// As the `quantization_config` says, shown as float32.
    case dequantized(QuantizationMethod)
    /// Cut for the ranks of Megatron.
    case megatron(MegatronTopology)
  }

  /// A way in which files and configuration disagree.
  public enum StructureProblem: Sendable, Equatable {
    case missing(name: String, shape: Shape)
    case unexpected(name: String, file: String, nearest: String?)
    /// A part of an adapter (LoRA and the like) that was not merged into the weights.
    case adapter(name: String, file: String)
    case shape(name: String, expected: Shape, got: Shape, file: String)
    case type(name: String, type: ScalarType, expected: ScalarType?, file: String)
    case repeated(name: String, other: String, file: String)
    case content(name: String, reason: String, file: String)
  }

  init(
    path: String, reader: any CheckpointReader, configuration: Configuration,
    architecture: any Architecture.Type, description: ModelDescription, names: NameTable,
    rowOrders: [TensorAddress.Role: RowOrder] = [:], form: StoredForm = .own, isPart: Bool = false,
    notes: [String] = [], tokenizer: TokenizerSource
  ) {
    self.path = path
    self.reader = reader
    let shown = reader as? any ShownReader
    stored = shown?.stored ?? reader
    self.form = form
    self.configuration = configuration
    self.architecture = architecture
    self.description = description
    self.names = names
    self.rowOrders = rowOrders
    self.notes = notes
    self.tokenizer = tokenizer
    let matched = StructureMatch(
      of: reader, with: description, names: names,
      leavingOut: isPart ? StructureMatch.otherParts : [])
    tensors = matched.tensors
    pieces = matched.pieces
    heldLayers = Set(matched.tensors.keys.compactMap(\.layer))
    ignored = matched.ignored
    problems = (shown?.problems ?? []) + matched.problems
  }

  /// Throws the first structural problem, if there is one.
  public func requireSound() throws(ModelFileError) {
    guard let first = problems.first else { return }
    throw .structure(
      path: path, problem: first, keys: keys(of: first), others: problems.count - 1)
  }

  /// The tensor at `address`, in place, rows in logical order.
  public func view(_ address: TensorAddress) throws -> TensorView {
    guard let stored = tensors[address] else {
      throw ModelFileError.noTensor(path: path, address: address)
    }
    if let adapted = adapted[address] {
      return try adapted.applied { try self.stored(stored, as: address) }
    }
    return try self.stored(stored, as: address)
  }

  /// The tensor at `address` as the files hold it.
  private func stored(_ stored: StoredTensor, as address: TensorAddress) throws -> TensorView {
    if let piece = pieces[address] {
      return try reader.view(piece.tensor).piece(piece.rows, shape: stored.shape)
    }
    let view = try reader.view(stored.name)
    guard let order = rowOrders[address.role] else { return view }
    return TensorView(
      bytes: view.bytes, type: view.type, shape: view.shape, rowOrder: order,
      storage: view.storage)
  }

  /// The tensor `stored`, which is several of the model's.
  package func view(ofWhole stored: StoredTensor) throws -> TensorView {
    let view = try reader.view(stored.name)
    return adaptedWholes[stored.name]?.applied { view } ?? view
  }

  /// Makes the output head a tensor of its own, stored as `embedding`.
  mutating func untie(storing embedding: StoredTensor?) {
    description.tiesEmbeddings = false
    var object = configuration.object
    object["tie_word_embeddings"] = false
    configuration = Configuration(object, file: configuration.file)
    tensors[TensorAddress(.head)] = embedding
  }

  /// `model.layers.3.mlp.up_proj.weight in some/model`.
  public func name(of address: TensorAddress) -> String {
    "\(tensors[address]?.name ?? "the \(address)") in \(path)"
  }

  /// How rows of tensors of `role` lie in storage.
  func rowOrder(of role: TensorAddress.Role) -> RowOrder { rowOrders[role] ?? .stored }

  /// The same file, read as a model whose sliding windows are `size` tokens long; nil when it has
  /// none.
  public func withWindow(_ size: Int) -> ModelFile? {
    var copy = self
    var object = configuration.object
    guard copy.description.setWindow(size, in: &object) else { return nil }
    copy.configuration = Configuration(object, file: configuration.file)
    return copy
  }

  /// Bytes of all stored tensors.
  public var byteCount: Int { stored.tensors.reduce(0) { $0 + $1.byteCount } }

  /// The stored element types with their bytes, largest first.
  public var types: [(type: ScalarType, bytes: Int)] {
    Dictionary(grouping: stored.tensors, by: \.type)
      .map { (type: $0.key, bytes: $0.value.reduce(0) { $0 + $1.byteCount }) }
      .sorted { ($0.bytes, $0.type.rawValue) > ($1.bytes, $1.type.rawValue) }
  }

  /// Opens whatever is at `path`: a directory, a safetensors, PyTorch or HDF5 file with its
  /// config.json beside it, or a GGUF file.
  public static func open(_ path: String) throws -> ModelFile {
    let location = try CheckpointLocation.detect(path)
    switch location {
    case .gguf(let file): return try ModelFile(gguf: file, named: path)
    case .megatronDirectory(let directory): return try ModelFile(megatron: directory)
    case .torchDistributed(let directory): return try ModelFile(distributed: directory)
    case .safetensorsDirectory(let directory), .pyTorchDirectory(let directory),
      .hdf5Directory(let directory):
      return try ModelFile(directory: directory) { try location.open() }
    case .safetensorsFile(let file), .pyTorchFile(let file), .hdf5File(let file):
      let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
      return try ModelFile(directory: directory) { try location.open() }
    }
  }

  /// A tensor of the model that is some rows of a stored one, as fused projections are.
  struct Piece: Sendable {
    /// The name of the stored tensor.
    let tensor: String
    /// Its rows; a vector has a row per element.
    let rows: Range<Int>
    /// The piece as a tensor of its own, called `name[first:last]`.
    let stored: StoredTensor

    /// Rows `rows` of `tensor`, of shape `shape`.
    init(of tensor: StoredTensor, rows: Range<Int>, shape: Shape) {
      self.tensor = tensor.name
      self.rows = rows
      var stored = tensor
      stored.name = "\(tensor.name)[\(rows.lowerBound):\(rows.upperBound)]"
      stored.shape = shape
      stored.byteCount = shape.byteCount(tensor.type) ?? 0
      stored.offset += rows.isEmpty ? 0 : stored.byteCount / rows.count * rows.lowerBound
      self.stored = stored
    }
  }

  /// The stored tensor whose pieces are `requirement`; nil when it is stored otherwise.
  package func whole(_ requirement: ModelDescription.StoredRequirement) -> StoredTensor? {
    let held = requirement.pieces.map { pieces[$0.address] }
    guard let name = held.first??.tensor,
      held.enumerated().allSatisfy({
        $1?.tensor == name && $1?.rows == requirement.rows(ofPiece: $0)
      })
    else { return nil }
    return reader.tensor(named: name)
  }

  /// Whether its tensors are put together from several ones, so that views should be asked for only
  /// when they are used.
  package var isAssembled: Bool {
    switch form {
    case .megatron, .dequantized: true
    default: false
    }
  }

  /// Whether its tensors were cut for the ranks of Megatron.
  package var isCut: Bool {
    if case .megatron = form { return true }
    return false
  }

  /// The rows of the tensor at `address` as matrices one below the other, each in place where that
  /// is possible; one unless the files hold the tensor in several parts. A vector has a row per
  /// element there.
  ///
  /// - Precondition: rows that are stored in another order within heads are asked for by whole heads.
  package func rows(_ range: Range<Int>, of address: TensorAddress) throws -> [TensorView] {
    let order = rowOrder(of: address.role)
    guard let stored = tensors[address], order == .stored, pieces[address] == nil,
      adapted[address] == nil
    else {
      return [try view(address).part(range)]
    }
    var found: [TensorView] = [], start = 0
    for part in try reader.parts(stored.name) {
      let count = part.partRows
      let overlap = range.clamped(to: start..<start + count)
      if !overlap.isEmpty {
        found.append(part.part(overlap.lowerBound - start..<overlap.upperBound - start))
      }
      start += count
    }
    return found
  }
}

extension TensorView {
  /// Rows, where a vector has a row per element.
  fileprivate var partRows: Int { shape.dimensions.count == 1 ? shape.columns : rows }

  /// Rows `range`, where a vector has a row per element.
  fileprivate func part(_ range: Range<Int>) -> TensorView {
    let count = partRows, columns = shape.dimensions.count == 1 ? 1 : columns
    let rowBytes = count == 0 ? 0 : bytes.count / count
    let part = bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
    let view = TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: part), type: type, shape: [range.count, columns],
      rowOrder: rowOrder, storage: storage)
    return merge.map { view.merged($0.slice(rows: range)) } ?? view
  }
}
