import Architectures
import Checkpoints

extension ModelFile {
  /// Names of stored tensors that must be equal, in groups of two or more: parts that several ranks
  /// hold. Empty for a checkpoint that is not cut for ranks.
  package func replicas() throws -> [[String]] {
    guard let shown = reader as? MegatronReader else { return [] }
    return shown.replicas
  }
}

extension MegatronReader {
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
        if groups.updateValue((groups[key] ?? []) + [name], forKey: key) == nil {
          order.append(key)
        }
      }
    }
    return order.compactMap { groups[$0] }.filter { $0.count > 1 }
  }
}
