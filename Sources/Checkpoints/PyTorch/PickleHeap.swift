import StrictJSON
import TensorTypes

/// The values that a pickle made, by number: no value owns another, so that neither a deep nor a
/// circular one can do harm.
struct PickleHeap {
  /// The number of a value.
  typealias Reference = Int

  /// One value; containers hold numbers of values.
  enum Value {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case text(String)
    /// Bytes, and integers that do not fit 64 bits: kept as nothing but their presence.
    case opaque
    case list([Reference])
    case tuple([Reference])
    /// Keys and values in order of insertion.
    case dictionary([(key: Reference, value: Reference)])
    case global(PickleGlobal)
    /// An instance, with the dictionary or tuple of its attributes once it has them.
    case object(PickleClass, state: Reference?)
    // Boxed, so that all other values stay small: files decide how many there are.
    indirect case storage(Storage)
    indirect case tensor(Tensor)
  }

  /// A storage: the entry `data/KEY` of the archive.
  struct Storage: Equatable {
    var key: String
    /// Nil for bytes without a type.
    var type: ScalarType?
    /// Elements, or bytes without a type.
    var count: Int
  }

  /// A strided part of a storage.
  struct Tensor: Equatable {
    var storage: Storage
    var type: ScalarType
    /// The first element.
    var offset: Int
    var shape: [Int]
    /// Elements from one index to the next, for each dimension.
    var strides: [Int]
  }

  private(set) var values: [Value] = []

  subscript(_ reference: Reference) -> Value {
    get { values[reference] }
    set { values[reference] = newValue }
  }

  /// Keeps `value`.
  mutating func add(_ value: Value) -> Reference {
    values.append(value)
    return values.count - 1
  }

  /// The members of a dictionary whose keys are text.
  func members(_ reference: Reference) -> [(key: String, value: Reference)]? {
    guard case .dictionary(let entries) = values[reference] else { return nil }
    var members: [(key: String, value: Reference)] = []
    for entry in entries {
      guard case .text(let key) = values[entry.key] else { return nil }
      members.append((key, entry.value))
    }
    return members
  }

  /// The attributes of an instance of `kind` that were given as a dictionary.
  func attributes(
    _ reference: Reference, of kind: PickleClass
  ) -> [(key: String, value: Reference)]? {
    guard case .object(kind, let state?) = values[reference] else { return nil }
    return members(state)
  }

  /// The integers of a tuple or list.
  func integers(_ reference: Reference) -> [Int]? {
    let items: [Reference]
    switch values[reference] {
    case .tuple(let references), .list(let references): items = references
    default: return nil
    }
    var integers: [Int] = []
    for item in items {
      guard case .int(let value) = values[item] else { return nil }
      integers.append(value)
    }
    return integers
  }

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
