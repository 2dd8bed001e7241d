import Architectures
import Checkpoints
import TensorTypes

/// The tensors of a file matched with those a description calls for, both ways.
struct StructureMatch {
  private(set) var tensors: [TensorAddress: StoredTensor] = [:]
  private(set) var ignored: [String] = []
  private(set) var problems: [ModelFile.StructureProblem] = []

  /// Unknown tensors that get the name of what was meant: comparing names takes long.
  static let mostSuggestions = 32
  /// What names of adapters contain (PEFT).
  static let adapterMarks = [".lora_", ".base_layer.", ".modules_to_save.", ".ia3_", ".oft_"]

  init(of reader: any CheckpointReader, with model: ModelDescription, names: NameTable) {
    let requirements = model.requirements
    let expected = Dictionary(uniqueKeysWithValues: requirements.map { ($0.address, $0) })
    let known = requirements.compactMap { names.name(of: $0.address) }
    var suggestions = 0
    for tensor in reader.tensors {
      switch names.match(tensor.name) {
      case .ignored:
        ignored.append(tensor.name)
      case .tensor(let address) where expected[address] != nil:
        if let requirement = expected[address] { place(tensor, as: requirement) }
      // Tied checkpoints may store the head again; rotary divisors are part of the description.
      case .tensor(TensorAddress(.head)) where model.tiesEmbeddings:
        ignored.append(tensor.name)
      case .tensor(TensorAddress(.ropeFactors)):
        ignored.append(tensor.name)
      default:
        if StructureMatch.adapterMarks.contains(where: tensor.name.contains) {
          problems.append(.adapter(name: tensor.name, file: tensor.file))
          continue
        }
        suggestions += 1
        let isLooked = suggestions <= StructureMatch.mostSuggestions
        problems.append(
          .unexpected(
            name: tensor.name, file: tensor.file,
            nearest: isLooked ? NearestName.of(tensor.name, among: known) : nil))
      }
    }
    let missing = requirements.filter { tensors[$0.address] == nil }.map {
      ModelFile.StructureProblem.missing(
        name: names.name(of: $0.address) ?? "\($0.address)", shape: $0.shape)
    }
    // What is missing explains more than what is too much.
    problems =
      problems.filter(\.concernsExpectedTensor) + missing
      + problems.filter { !$0.concernsExpectedTensor }
  }

  private mutating func place(
    _ tensor: StoredTensor, as requirement: ModelDescription.Requirement
  ) {
    let address = requirement.address, shape = requirement.shape
    if let other = tensors[address] {
      problems.append(.repeated(name: tensor.name, other: other.name, file: tensor.file))
    }
    tensors[address] = tensor
    if tensor.shape != shape {
      problems.append(
        .shape(name: tensor.name, expected: shape, got: tensor.shape, file: tensor.file))
    }
    let fits = requirement.type.map { $0 == tensor.type }
    if !(fits ?? (tensor.type.isFloat || tensor.type.isQuantised)) {
      problems.append(
        .type(
          name: tensor.name, type: tensor.type, expected: requirement.type, file: tensor.file))
    }
  }
}

extension ModelFile.StructureProblem {
  /// Whether the file has a tensor of this meaning, but a wrong one.
  fileprivate var concernsExpectedTensor: Bool {
    switch self {
    case .shape, .type, .repeated, .content, .adapter: true
    case .missing, .unexpected: false
    }
  }
}
