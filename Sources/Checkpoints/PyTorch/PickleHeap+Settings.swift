import StrictJSON

extension PickleHeap {
  /// Containers inside containers that settings may have.
  private static let settingsDepth = 4
  /// Most values of settings: the arguments of a training are some hundreds.
  private static let settingsLimit = 100_000

  /// The numbers, texts and arguments among the members of a dictionary; tensors and whatever else
  /// is no plain value are left out.
  func settings(_ reference: Reference) -> JSONObject {
    var count = 0
    var settings = JSONObject()
    for (key, value) in members(reference) ?? [] {
      // Other dictionaries are those of parameters and optimisers.
      if case .dictionary = self[value] { continue }
      if let json = json(value, depth: 0, count: &count) { settings[key] = json }
    }
    return settings
  }

  /// A plain value; nil for anything else, and for what is too deep or too much.
  private func json(_ reference: Reference, depth: Int, count: inout Int) -> JSONValue? {
    count += 1
    guard depth <= PickleHeap.settingsDepth, count <= PickleHeap.settingsLimit else { return nil }
    switch self[reference] {
    case .none: return .null
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .float(let value): return value.isFinite ? .double(value) : nil
    case .text(let value): return .string(value)
    case .list(let items), .tuple(let items):
      return .array(items.compactMap { json($0, depth: depth + 1, count: &count) })
    case .dictionary: return object(members(reference), depth: depth, count: &count)
    case .object(.namespace, let state?):
      return object(members(state), depth: depth, count: &count)
    default: return nil
    }
  }

  private func object(
    _ members: [(key: String, value: Reference)]?, depth: Int, count: inout Int
  ) -> JSONValue? {
    guard let members else { return nil }
    var object = JSONObject()
    for (key, value) in members {
      if let json = json(value, depth: depth + 1, count: &count) { object[key] = json }
    }
    return .object(object)
  }
}
