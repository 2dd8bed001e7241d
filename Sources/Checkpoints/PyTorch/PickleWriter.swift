package import StrictJSON
package import TensorTypes

/// Writes a Python pickle of protocol 2 with the instructions that `torch.load(weights_only=True)`
/// knows. What is put between a container's begin and end are its members.
package struct PickleWriter {
  private var bytes: [UInt8] = [0x80, 2]

  /// A pickle of nothing yet.
  package init() {}

  /// The pickle, whose value is the one that was written.
  package func finish() -> [UInt8] { bytes + [UInt8(ascii: ".")] }

  /// None.
  package mutating func none() { bytes.append(UInt8(ascii: "N")) }

  /// True or False.
  package mutating func bool(_ value: Bool) { bytes.append(value ? 0x88 : 0x89 as UInt8) }

  /// An integer.
  package mutating func int(_ value: Int) {
    switch value {
    case 0...0xff:
      bytes.append(UInt8(ascii: "K"))
      bytes.append(UInt8(value))
    case 0...0xffff:
      bytes.append(UInt8(ascii: "M"))
      bytes.append(UInt16(value))
    case Int(Int32.min)...Int(Int32.max):
      bytes.append(UInt8(ascii: "J"))
      bytes.append(Int32(value))
    default:
      bytes += [0x8a, 8] as [UInt8]
      bytes.append(Int64(value))
    }
  }

  /// A floating-point number.
  package mutating func float(_ value: Double) {
    bytes.append(UInt8(ascii: "G"))
    bytes.append(value.bitPattern.byteSwapped)
  }

  /// Text.
  package mutating func text(_ value: String) {
    bytes.append(UInt8(ascii: "X"))
    bytes.append(UInt32(value.utf8.count))
    bytes += value.utf8
  }

  /// `module.name`.
  package mutating func global(_ module: String, _ name: String) {
    bytes += Array("c\(module)\n\(name)\n".utf8)
  }

  /// A tuple of what `members` writes.
  package mutating func tuple(_ members: (inout PickleWriter) -> Void) {
    mark()
    members(&self)
    bytes.append(UInt8(ascii: "t"))
  }

  /// A list of what `members` writes.
  package mutating func list(_ members: (inout PickleWriter) -> Void) {
    bytes.append(UInt8(ascii: "]"))
    mark()
    members(&self)
    bytes.append(UInt8(ascii: "e"))
  }

  /// A dictionary of what `members` writes: key, value, key, value.
  package mutating func dictionary(_ members: (inout PickleWriter) -> Void) {
    bytes.append(UInt8(ascii: "}"))
    setItems(members)
  }

  /// An OrderedDict of what `members` writes: key, value, key, value.
  package mutating func orderedDictionary(_ members: (inout PickleWriter) -> Void) {
    call("collections", "OrderedDict") { _ in }
    setItems(members)
  }

  /// What `module.name` returns for the arguments that `arguments` writes.
  package mutating func call(
    _ module: String, _ name: String, _ arguments: (inout PickleWriter) -> Void
  ) {
    global(module, name)
    tuple(arguments)
    bytes.append(UInt8(ascii: "R"))
  }

  /// An instance of `module.name` with the state that `state` writes.
  package mutating func object(
    _ module: String, _ name: String, state: (inout PickleWriter) -> Void
  ) {
    global(module, name)
    bytes += [UInt8(ascii: ")"), 0x81]
    state(&self)
    bytes.append(UInt8(ascii: "b"))
  }

  /// A persistent reference: what `id` writes.
  package mutating func persistent(_ id: (inout PickleWriter) -> Void) {
    id(&self)
    bytes.append(UInt8(ascii: "Q"))
  }

  /// Numbers, text, lists and dictionaries.
  package mutating func json(_ value: JSONValue) {
    switch value {
    case .null: none()
    case .bool(let flag): bool(flag)
    case .number(let digits):
      if let number = Int(digits) { int(number) } else { float(value.double ?? .nan) }
    case .string(let value): text(value)
    case .array(let items): list { writer in items.forEach { writer.json($0) } }
    case .object(let object): dictionary { $0.members(object) }
    }
  }

  /// The keys and values of `object`, inside a dictionary.
  package mutating func members(_ object: JSONObject) {
    for (key, value) in object.members {
      text(key)
      json(value)
    }
  }

  private mutating func mark() { bytes.append(UInt8(ascii: "(")) }

  private mutating func setItems(_ members: (inout PickleWriter) -> Void) {
    mark()
    members(&self)
    bytes.append(UInt8(ascii: "u"))
  }

  /// A contiguous tensor that fills the storage `key` of the archive.
  ///
  /// - Precondition: PyTorch has the type: it is not quantised.
  package mutating func tensor(storage key: Int, type: ScalarType, shape: Shape) {
    let count = shape.elementCount ?? 0
    call("torch._utils", "_rebuild_tensor_v2") { arguments in
      arguments.persistent { id in
        id.tuple { id in
          id.text("storage")
          id.global("torch", type.torchStorage)
          id.text(String(key))
          id.text("cpu")
          id.int(count)
        }
      }
      arguments.int(0)
      arguments.tuple { tuple in shape.dimensions.forEach { tuple.int($0) } }
      arguments.tuple { tuple in shape.strides.forEach { tuple.int($0) } }
      arguments.bool(false)
      arguments.orderedDictionary { _ in }
    }
  }
}

extension ScalarType {
  /// The class of storages of this type in PyTorch; bytes for what it has no type for.
  fileprivate var torchStorage: String {
    switch self {
    case .float64: "DoubleStorage"
    case .float32: "FloatStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .int64: "LongStorage"
    case .int32: "IntStorage"
    case .int16: "ShortStorage"
    case .int8: "CharStorage"
    case .bool: "BoolStorage"
    default: "ByteStorage"
    }
  }
}

extension Shape {
  /// Elements from one index to the next for each dimension of a contiguous tensor.
  fileprivate var strides: [Int] {
    var strides: [Int] = [], step = 1
    for dimension in dimensions.reversed() {
      strides.append(step)
      step *= max(dimension, 1)
    }
    return strides.reversed()
  }
}
