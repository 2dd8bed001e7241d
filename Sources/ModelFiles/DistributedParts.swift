import Architectures
import Checkpoints
import TensorTypes

/// Where a distributed checkpoint of Megatron holds every parameter, and what is missing or too much
/// in it.
struct DistributedParts: MegatronParts {
  private(set) var problems: [ModelFile.StructureProblem] = []

  private let checkpoint: DistributedCheckpoint
  private let mapping: MegatronMapping
  /// Whether layers share keys. Newer versions of Megatron give them keys of their own in every model.
  private let isStacked: Bool
  /// The tensor that holds a parameter; nil when there is none that does.
  private var found: [StoredTensor?]

  /// What keys of optimisers start with.
  static let optimizerPrefix = "optimizer."

  init(_ checkpoint: DistributedCheckpoint, mapping: MegatronMapping) {
    self.checkpoint = checkpoint
    self.mapping = mapping
    isStacked = mapping.parameters.contains {
      $0.layer != nil && checkpoint.tensor(named: $0.distributedKey(stacked: true)) != nil
    }
    found = Array(repeating: nil, count: mapping.parameters.count)
    var used: Set<String> = [], wrong: Set<String> = []
    for (index, parameter) in mapping.parameters.enumerated() where !parameter.isCopy {
      let key = parameter.distributedKey(stacked: isStacked)
      let leading = mapping.leadingPlace(of: parameter, stacked: isStacked)
      let shape = Shape(leading.counts + parameter.shape.dimensions)
      guard let tensor = checkpoint.tensor(named: key) else {
        if wrong.insert(key).inserted { problems.append(.missing(name: key, shape: shape)) }
        continue
      }
      used.insert(key)
      guard tensor.shape == shape else {
        if wrong.insert(key).inserted {
          problems.append(
            .shape(name: key, expected: shape, got: tensor.shape, file: tensor.file))
        }
        continue
      }
      guard tensor.type.isFloat else {
        if wrong.insert(key).inserted {
          problems.append(.type(name: key, type: tensor.type, expected: nil, file: tensor.file))
        }
        continue
      }
      found[index] = tensor
    }
    for tensor in checkpoint.tensors
    where !used.contains(tensor.name) && !tensor.name.hasPrefix(Self.optimizerPrefix) {
      problems.append(.unexpected(name: tensor.name, file: tensor.file, nearest: nil))
    }
  }

  func tensors(ofParameter index: Int) -> [StoredTensor] { found[index].map { [$0] } ?? [] }

  func rows(
    _ rows: Range<Int>, ofParameter index: Int
  ) throws(CheckpointError) -> [TensorView] {
    let parameter = mapping.parameters[index]
    guard let tensor = found[index] else {
      throw .noSuchTensor(file: checkpoint.files.first ?? "", tensor: parameter.name)
    }
    let places = mapping.leadingPlace(of: parameter, stacked: isStacked).places
    let behind = Array(parameter.shape.dimensions.dropFirst())
    let box = TensorBox(
      offsets: places + [rows.lowerBound] + behind.map { _ in 0 },
      sizes: places.map { _ in 1 } + [rows.count] + behind)
    return try checkpoint.slabs(tensor.name, box: box, along: places.count).map { view in
      TensorView(
        bytes: view.bytes, type: view.type,
        shape: [view.shape.dimensions[places.count], parameter.columnCount],
        storage: view.storage)
    }
  }
}
