import Architectures
import Checkpoints
import Foundations
import Kernels
package import StrictJSON
import TensorTypes

/// What an adapter makes of a tensor of the model.
struct AdaptedTensor {
  /// The adapter's own values; nil for those of the model.
  var values: TensorView?
  /// What is added to them.
  var merge: AdapterMerge

  /// The tensor, where the model has `stored`.
  func applied(to stored: () throws -> TensorView) rethrows -> TensorView {
    try (values ?? stored()).merged(merge)
  }

  /// Rows `range` of it, a piece of shape `shape`.
  func piece(_ range: Range<Int>, shape: Shape) -> AdaptedTensor {
    AdaptedTensor(
      values: values?.piece(range, shape: shape), merge: merge.slice(rows: range))
  }
}

extension ModelFile {
  /// What is known of the adapter that a model was opened with.
  package struct AdapterFacts: Sendable {
    /// The SHA-256 of its weights.
    package let digest: String
    /// Its files.
    package let files: [String]
    /// As manifests record it.
    package let json: JSONObject
  }

  /// The model with the adapter in `directory` merged into its weights: products in float32, added when
  /// a weight is read. The same model for nil.
  ///
  /// Source: `merge_and_unload` of PEFT 0.21.
  public func merging(_ directory: String?) throws -> ModelFile {
    guard let directory else { return self }
    try requireSound()
    let adapter = try Adapter(directory)
    guard adapters == nil else {
      throw AdapterError.model(path: path, reason: "another one is merged already")
    }
    guard form == .own, description.quantization == nil, !isAssembled else {
      throw AdapterError.model(path: path, reason: "its weights are stored as integers or in parts")
    }
    return try AdapterMerging(adapter, into: self).result
  }
}

/// The work of `merging`.
private struct AdapterMerging {
  private let adapter: Adapter
  private(set) var result: ModelFile
  /// What the model stores, by its names in the model that the adapter was trained on; the head too
  /// where it is the embedding.
  private let known: [String: ModelDescription.StoredRequirement]
  private var ranks: Set<Int> = []

  init(_ adapter: Adapter, into file: ModelFile) throws {
    self.adapter = adapter
    result = file
    known = Self.names(adapter, file)
    for (name, tensor) in adapter.tensors.sorted(by: { $0.key < $1.key }) {
      let requirement = try requirement(name, for: tensor)
      guard tensor.shape == requirement.shape else {
        throw AdapterError.shape(
          tensor: tensor.name, expected: requirement.shape, got: tensor.shape, file: tensor.file)
      }
      let merge = AdapterMerge(digest: adapter.digest, update: nil)
      place(AdaptedTensor(values: try adapter.view(tensor), merge: merge), at: requirement)
    }
    for (name, module) in adapter.modules.sorted(by: { $0.key < $1.key }) {
      try add(module, named: name)
    }
    try untie()
    try finish()
  }

  /// The names of what the model stores, in the words of whichever architecture knows most of what the
  /// adapter is for: the file's own, or those of a form that it is exported in.
  private static func names(
    _ adapter: Adapter, _ file: ModelFile
  ) -> [String: ModelDescription.StoredRequirement] {
    var description = file.description
    description.tiesEmbeddings = false
    let wanted = adapter.modules.keys.map { "\($0).weight" } + adapter.tensors.keys
    var best: (count: Int, names: [String: ModelDescription.StoredRequirement])?
    for table in [file.names, file.architecture.names] + Architectures.all.map({ $0.names }) {
      let stored = description.stored(under: table).compactMap { requirement in
        requirement.name.map { ($0, requirement) }
      }
      let names = Dictionary(stored, uniquingKeysWith: { first, _ in first })
      let count = wanted.count { names[$0] != nil }
      if count > best?.count ?? -1 { best = (count, names) }
    }
    return best?.names ?? [:]
  }

  private func requirement(
    _ name: String, for tensor: StoredTensor
  ) throws -> ModelDescription.StoredRequirement {
    guard let requirement = known[name] else {
      throw AdapterError.unknownModule(
        tensor: tensor.name, module: name, nearest: NearestName.of(name, among: known.keys),
        file: tensor.file)
    }
    return requirement
  }

  private mutating func add(_ module: Adapter.Module, named name: String) throws {
    guard let down = module.down, let up = module.up else { return }
    let requirement = try requirement("\(name).weight", for: down)
    let isEmbedding = module.isEmbedding
    let rank = down.shape.rows
    let scale = try adapter.configuration.scale(of: name, rank: rank)
    let rows = requirement.shape.rows, columns = requirement.shape.columns
    try require(down, [rank, isEmbedding ? rows : columns])
    try require(up, [isEmbedding ? columns : rows, rank])
    var left = try adapter.view(up), right = try adapter.view(down)
    if isEmbedding { (left, right) = (right.transposed, left.transposed) }
    ranks.insert(rank)
    let update = LowRankUpdate(left: left, right: right, scale: scale)
    let own = try adapter.tensors["\(name).weight"].map(adapter.view)
    place(
      AdaptedTensor(values: own, merge: AdapterMerge(digest: adapter.digest, update: update)),
      at: requirement)
    if let bias = module.bias { try add(bias, scale, to: name) }
  }

  private func require(_ tensor: StoredTensor, _ shape: Shape) throws {
    guard tensor.shape == shape, (shape.dimensions.min() ?? 0) > 0 else {
      throw AdapterError.shape(
        tensor: tensor.name, expected: shape, got: tensor.shape, file: tensor.file)
    }
  }

  /// Adds the bias of an adapter's second map to that of the module.
  private mutating func add(_ bias: StoredTensor, _ scale: Float, to module: String) throws {
    guard let requirement = known["\(module).bias"] else {
      throw AdapterError.noBias(module: module, file: bias.file)
    }
    try require(bias, requirement.shape)
    let base = try requirement.pieces.flatMap { try result.view($0.address).floats }
    let sum = zip(base, try adapter.view(bias).floats).map { $0 + scale * $1 }
    place(
      AdaptedTensor(
        values: MemoryStorage.view(sum, shape: requirement.shape),
        merge: AdapterMerge(digest: adapter.digest, update: nil)),
      at: requirement)
  }

  private mutating func place(
    _ adapted: AdaptedTensor, at requirement: ModelDescription.StoredRequirement
  ) {
    guard requirement.pieces.count > 1 else {
      result.adapted[requirement.pieces[0].address] = adapted
      return
    }
    if let stored = result.whole(requirement) { result.adaptedWholes[stored.name] = adapted }
    for (index, piece) in requirement.pieces.enumerated() {
      result.adapted[piece.address] = adapted.piece(
        requirement.rows(ofPiece: index), shape: piece.shape)
    }
  }

  /// An output head that is the embedding no longer is it when only one of them was trained.
  private mutating func untie() throws {
    let head = TensorAddress(.head), embedding = TensorAddress(.embedding)
    guard result.description.tiesEmbeddings else { return }
    let isTrained = (
      head: result.adapted[head] != nil, embedding: result.adapted[embedding] != nil
    )
    guard isTrained.head || isTrained.embedding && !adapter.configuration.keepsTies else { return }
    result.untie(storing: result.tensors[embedding])
  }

  private mutating func finish() throws {
    let count = result.adapted.count
    var words = "A LoRA adapter is merged into \(counted(count, "tensor"))"
    if let least = ranks.min(), let most = ranks.max() {
      words += least == most ? ", rank \(most)" : ", ranks \(least) to \(most)"
    }
    result.notes += adapter.configuration.notes + [words + "."]
    result.adapters = ModelFile.AdapterFacts(
      digest: adapter.digest, files: adapter.files,
      json: JSONObject([
        ("kind", "LORA"), ("sha256", .string(adapter.digest)), ("tensors", .int(count)),
        ("base", adapter.configuration.base.map { .string($0) } ?? .null),
      ]))
  }
}

extension TensorView {
  /// The matrix the other way round, as float32.
  fileprivate var transposed: TensorView {
    let values = floats, rows = rows, columns = columns
    var other = [Float](repeating: 0, count: values.count)
    for row in 0..<rows {
      for column in 0..<columns { other[column * rows + row] = values[row * columns + column] }
    }
    return MemoryStorage.view(other, shape: [columns, rows])
  }
}
