import Architectures
import Checkpoints
import TensorTypes

/// Where files hold the parameters of a Megatron model, by their numbers in its mapping.
protocol MegatronParts: Sendable {
  /// What is missing or too much.
  var problems: [ModelFile.StructureProblem] { get }
  /// The stored tensors that a parameter is put together from; empty when one is missing.
  func tensors(ofParameter index: Int) -> [StoredTensor]
  /// Rows of a parameter, all of its columns, in order: in place where files hold whole rows.
  func rows(_ rows: Range<Int>, ofParameter index: Int) throws(CheckpointError) -> [TensorView]
}

/// A checkpoint of Megatron's ranks, its tensors shown as one model's: names of our layouts, q, k and v
/// apart, gate and up apart, experts by their global numbers, without the padding of the vocabulary.
///
/// A tensor that lies in one piece is seen in place; others are put together in memory when they are
/// looked at.
struct MegatronReader: ShownReader {
  let stored: any CheckpointReader
  let tensors: [StoredTensor]
  let problems: [ModelFile.StructureProblem]
  let mapping: MegatronMapping

  private let parameters: any MegatronParts
  private let byName: [String: (tensor: StoredTensor, places: [MegatronMapping.Place])]

  var formatName: String { stored.formatName }
  var files: [String] { stored.files }

  init(
    _ stored: any CheckpointReader, parts: any MegatronParts, mapping: MegatronMapping,
    names: NameTable
  ) {
    self.stored = stored
    self.mapping = mapping
    var problems = parts.problems
    var tensors: [StoredTensor] = []
    var byName: [String: (tensor: StoredTensor, places: [MegatronMapping.Place])] = [:]
    let places = mapping.places
    for requirement in mapping.model.requirements {
      guard let name = names.name(of: requirement.address),
        let places = places[requirement.address]
      else { continue }
      let found = places.flatMap { parts.tensors(ofParameter: $0.parameter) }
      // Parts that are missing were reported by their own names.
      guard let first = found.first else { continue }
      if let other = found.first(where: { $0.type != first.type }) {
        problems.append(
          .type(name: other.name, type: other.type, expected: first.type, file: other.file))
      }
      let tensor = StoredTensor(
        name: name, type: first.type, shape: requirement.shape, file: first.file,
        offset: first.offset, byteCount: requirement.shape.byteCount(first.type) ?? 0)
      tensors.append(tensor)
      byName[name] = (tensor, places)
    }
    self.tensors = tensors
    self.byName = byName
    self.problems = problems
    parameters = parts
  }

  func tensor(named name: String) -> StoredTensor? { byName[name]?.tensor }

  func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let (tensor, _) = byName[name] else {
      throw .noSuchTensor(file: files.first ?? "", tensor: name)
    }
    let parts = try parts(name)
    if parts.count == 1 {
      return TensorView(
        bytes: parts[0].bytes, type: tensor.type, shape: tensor.shape, storage: parts[0].storage)
    }
    let storage = MemoryStorage(count: tensor.byteCount)
    var end = 0
    for part in parts {
      UnsafeMutableRawBufferPointer(rebasing: storage.bytes[end...]).copyMemory(from: part.bytes)
      end += part.bytes.count
      part.discard()
    }
    return storage.view(tensor.type, shape: tensor.shape)
  }

  func parts(_ name: String) throws(CheckpointError) -> [TensorView] {
    guard let (_, places) = byName[name] else {
      throw .noSuchTensor(file: files.first ?? "", tensor: name)
    }
    var found: [TensorView] = []
    for place in places {
      found += try parameters.rows(
        place.start..<place.start + place.rows.count, ofParameter: place.parameter)
    }
    return found
  }

  /// The parts that several files hold, by name.
  var replicas: [[String]] {
    struct Part: Hashable {
      var name: String
      var layer: Int?
      var expert: Int?
      var rank: Int
    }
    var groups: [Part: [String]] = [:], order: [Part] = []
    for rank in mapping.topology.ranks {
      for part in mapping.parts(of: rank) {
        let parameter = part.parameter
        // A tied head is the embedding again.
        let key = Part(
          name: parameter.isCopy ? mapping.parameters[0].name : parameter.name,
          layer: parameter.layer, expert: parameter.expert,
          rank: parameter.split == .replicated ? 0 : rank.tensor)
        let directory = mapping.topology.directoryName(of: rank)
        guard
          let name = parameter.legacyKeys(layer: part.layer, expert: part.expert)
            .map({ "\(directory)/\($0)" }).first(where: { stored.tensor(named: $0) != nil })
        else { continue }
        if groups[key] == nil { order.append(key) }
        groups[key, default: []].append(name)
      }
    }
    return order.compactMap { groups[$0] }.filter { $0.count > 1 }
  }
}

extension ModelFile {
  /// Names of stored tensors that must be equal, in groups of two or more: parts that several ranks
  /// hold. Empty for a checkpoint that is not cut for ranks.
  package var replicas: [[String]] { (reader as? MegatronReader)?.replicas ?? [] }
}
