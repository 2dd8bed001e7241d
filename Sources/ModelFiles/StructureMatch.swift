import Architectures
import Checkpoints
import Foundations
import TensorTypes

/// The tensors of a file matched with those a description calls for, both ways.
struct StructureMatch {
  private(set) var tensors: [TensorAddress: StoredTensor] = [:]
  /// Where tensors lie that are pieces of a stored one.
  private(set) var pieces: [TensorAddress: ModelFile.Piece] = [:]
  private(set) var ignored: [String] = []
  private(set) var problems: [ModelFile.StructureProblem] = []

  /// Unknown tensors that get the name of what was meant: comparing names takes long.
  static let mostSuggestions = 32
  /// What names of adapters contain (PEFT).
  static let adapterMarks = [".lora_", ".base_layer.", ".modules_to_save.", ".ia3_", ".oft_"]

  /// Parts that read no text, in models of several parts.
  private static let otherPartNames = [
    "vision_tower", "vision_model", "vision_encoder", "visual", "audio_tower",
    "multi_modal_projector",
  ]

  /// What the names of their tensors begin with.
  static let otherParts = otherPartNames.flatMap(prefixes)

  private static func prefixes(ofPart name: String) -> [String] { ["\(name).", "model.\(name)."] }

  /// Those of which `reader` has tensors.
  static func otherParts(in reader: any CheckpointReader) -> [String] {
    otherPartNames.filter { part in
      let prefixes = prefixes(ofPart: part)
      return reader.tensors.contains { prefixes.contains(where: $0.name.hasPrefix) }
    }
  }

  /// - Parameter left: what names begin with that are not looked at.
  init(
    of reader: any CheckpointReader, with model: ModelDescription, names: NameTable,
    leavingOut left: [String] = []
  ) {
    let requirements = model.stored(under: names)
    let expected = Dictionary(
      uniqueKeysWithValues: requirements.map { ($0.pieces[0].address, $0) })
    func requirement(_ match: NameTable.Match) -> ModelDescription.StoredRequirement? {
      match.addresses.first.flatMap { expected[$0] }
    }
    let known = requirements.compactMap(\.name)
    var suggestions = 0
    for tensor in reader.tensors {
      switch names.match(tensor.name) {
      case .ignored:
        ignored.append(tensor.name)
      case .unknown where left.contains(where: tensor.name.hasPrefix):
        ignored.append(tensor.name)
      case let match where requirement(match) != nil:
        if let requirement = requirement(match) { place(tensor, as: requirement) }
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
    let missing = requirements.filter { tensors[$0.pieces[0].address] == nil }.map {
      ModelFile.StructureProblem.missing(
        name: $0.name ?? "\($0.pieces[0].address)", shape: $0.shape)
    }
    // What is missing explains more than what is too much.
    problems =
      problems.filter(\.concernsExpectedTensor) + missing
      + problems.filter { !$0.concernsExpectedTensor }
  }

  private mutating func place(
    _ tensor: StoredTensor, as requirement: ModelDescription.StoredRequirement
  ) {
    let shape = requirement.shape, type = requirement.pieces[0].type
    if let other = tensors[requirement.pieces[0].address] {
      let name = pieces[requirement.pieces[0].address]?.tensor ?? other.name
      problems.append(.repeated(name: tensor.name, other: name, file: tensor.file))
    }
    if tensor.shape != shape {
      problems.append(
        .shape(name: tensor.name, expected: shape, got: tensor.shape, file: tensor.file))
    }
    let fits = type.map { $0 == tensor.type }
    if !(fits ?? (tensor.type.isFloat || tensor.type.isQuantised)) {
      problems.append(
        .type(name: tensor.name, type: tensor.type, expected: type, file: tensor.file))
    }
    for (index, piece) in requirement.pieces.enumerated() {
      guard requirement.pieces.count > 1 || requirement.isStacked else {
        tensors[piece.address] = tensor
        continue
      }
      let part = ModelFile.Piece(
        of: tensor, rows: requirement.rows(ofPiece: index), shape: piece.shape)
      tensors[piece.address] = part.stored
      pieces[piece.address] = part
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
