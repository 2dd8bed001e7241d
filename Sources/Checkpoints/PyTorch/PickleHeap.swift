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
}
