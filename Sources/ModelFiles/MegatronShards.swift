import Architectures
import Checkpoints
import Foundations
import TensorTypes

/// Where the files of Megatron's ranks hold the parts of every parameter, and what is missing or too
/// much in them.
struct MegatronShards: MegatronParts {
  private(set) var problems: [ModelFile.StructureProblem] = []

  private let stored: MegatronCheckpoint
  private let mapping: MegatronMapping
  /// The tensors of a parameter: by tensor rank, from the first rank that holds each.
  private var found: [[Int: StoredTensor]]

  init(_ stored: MegatronCheckpoint, mapping: MegatronMapping) {
    self.stored = stored
    self.mapping = mapping
    found = Array(repeating: [:], count: mapping.parameters.count)
    var unused = Set(stored.tensors.map(\.name))
    let topology = mapping.topology
    for rank in topology.ranks {
      let directory = topology.directoryName(of: rank)
      for part in mapping.parts(of: rank) {
        let keys = part.parameter.legacyKeys(layer: part.layer, expert: part.expert)
        let names = keys.map { "\(directory)/\($0)" }
        guard let name = names.first(where: { stored.tensor(named: $0) != nil }),
          let tensor = stored.tensor(named: name)
        else {
          problems.append(.missing(name: names[0], shape: part.shape))
          continue
        }
        unused.remove(name)
        place(tensor, as: part, rank: rank.tensor)
      }
    }
    for tensor in stored.tensors where unused.contains(tensor.name) {
      problems.append(.unexpected(name: tensor.name, file: tensor.file, nearest: nil))
    }
  }

  private mutating func place(_ tensor: StoredTensor, as part: MegatronMapping.Part, rank: Int) {
    if tensor.shape != part.shape {
      problems.append(
        .shape(name: tensor.name, expected: part.shape, got: tensor.shape, file: tensor.file))
      return
    }
    guard tensor.type.isFloat else {
      problems.append(
        .type(name: tensor.name, type: tensor.type, expected: nil, file: tensor.file))
      return
    }
    if let first = found[part.index].values.first, first.type != tensor.type {
      problems.append(
        .type(name: tensor.name, type: tensor.type, expected: first.type, file: tensor.file))
      return
    }
    if found[part.index][rank] == nil { found[part.index][rank] = tensor }
  }

  /// The tensors that a parameter is put together from; empty when one is missing.
  func tensors(ofParameter index: Int) -> [StoredTensor] {
    let count = mapping.parameters[index].split == .replicated ? 1 : mapping.topology.tensor
    let tensors = (0..<count).compactMap { found[index][$0] }
    return tensors.count == count ? tensors : []
  }

  /// Rows of a parameter, all of its columns, in order: in place where a rank holds whole rows.
  func rows(
    _ rows: Range<Int>, ofParameter index: Int
  ) throws(CheckpointError) -> [TensorView] {
    let parameter = mapping.parameters[index]
    let tensors = tensors(ofParameter: index)
    guard let type = tensors.first?.type else {
      throw .noSuchTensor(file: stored.files.first ?? "", tensor: parameter.name)
    }
    guard parameter.split == .columns, tensors.count > 1 else {
      return try wholeRows(rows, of: parameter, tensors)
    }
    let width = parameter.columnCount * type.blockBytes
    let storage = MemoryStorage(count: rows.count * width)
    for (rank, tensor) in tensors.enumerated() {
      let region = parameter.regions(rank: rank, of: tensors.count)[0]
      let view = try stored.view(tensor.name)
      let part = region.columns.count * type.blockBytes
      let start = region.columns.lowerBound * type.blockBytes
      for (target, row) in rows.enumerated() {
        let source = UnsafeRawBufferPointer(rebasing: view.bytes[row * part..<(row + 1) * part])
        UnsafeMutableRawBufferPointer(rebasing: storage.bytes[(target * width + start)...])
          .copyMemory(from: source)
      }
      view.discard()
    }
    return [storage.view(type, shape: [rows.count, parameter.columnCount])]
  }

  /// Rows where every rank holds whole ones.
  private func wholeRows(
    _ rows: Range<Int>, of parameter: MegatronParameter, _ tensors: [StoredTensor]
  ) throws(CheckpointError) -> [TensorView] {
    var parts: [(start: Int, view: TensorView)] = []
    for (rank, tensor) in tensors.enumerated() {
      var local = 0
      for region in parameter.regions(rank: rank, of: tensors.count) {
        defer { local += region.rows.count }
        let overlap = rows.clamped(to: region.rows)
        guard !overlap.isEmpty else { continue }
        let view = try stored.view(tensor.name)
        let width = parameter.columnCount * tensor.type.blockBytes
        let first = (local + overlap.lowerBound - region.rows.lowerBound) * width
        let bytes = view.bytes[first..<first + overlap.count * width]
        parts.append(
          (
            overlap.lowerBound,
            TensorView(
              bytes: UnsafeRawBufferPointer(rebasing: bytes), type: tensor.type,
              shape: [overlap.count, parameter.columnCount], storage: view.storage)
          ))
      }
    }
    return parts.sorted { $0.start < $1.start }.map(\.view)
  }

  /// What the keys of decay gates end with that are one matrix.
  static let mergedGateSuffix = ".self_attention.gk_proj.weight"

  /// Rows of the embedding with padding, as the first rank's part says; nil when that is not there or
  /// too small.
  static func vocabularyRows(
    in stored: MegatronCheckpoint, topology: MegatronTopology, _ model: ModelDescription
  ) -> Int? {
    let directory = topology.directoryName(of: .init())
    let name = "\(directory)/\(MegatronParameter.embeddingName)"
    guard let rows = stored.tensor(named: name)?.shape.dimensions.first,
      rows <= Configuration.largestDimension
    else { return nil }
    return rows * topology.tensor >= model.vocabularySize ? rows * topology.tensor : nil
  }

  /// Refuses files that are not those of the ranks in `topology`: more or fewer, or such that name
  /// others themselves.
  static func checkRanks(
    _ stored: MegatronCheckpoint, topology: MegatronTopology
  ) throws(ConfigurationError) {
    let file = stored.arguments.file
    let count = topology.tensor * topology.pipeline * topology.expert
    guard count == stored.directories.count else {
      throw .inconsistent(
        "args name \(count) ranks, but there are "
          + counted(stored.directories.count, "directory", plural: "directories"),
        file: file)
    }
    for directory in stored.directories {
      guard let arguments = stored.arguments(of: directory),
        try MegatronArguments.topology(arguments, file: file) == topology
      else {
        throw .inconsistent(
          "args in \(directory) name other ranks than in \(stored.directories[0])", file: file)
      }
    }
  }
}
