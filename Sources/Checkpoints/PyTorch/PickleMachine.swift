/// Runs a Python pickle of protocols 2 to 5 as far as checkpoints need it: it builds containers,
/// numbers, text and descriptions of tensors, and refuses everything else.
///
/// Source of the instructions: Python's `pickletools` documentation.
struct PickleMachine {
  /// The latest protocol that is read: Python's default.
  private static let newest: UInt8 = 5
  /// The longest pickle that is read, in bytes.
  static let byteLimit = 256 << 20
  /// Most instructions of a PyTorch file: 85,000 tensors take as many. No instruction makes more than
  /// one value, so this bounds memory too, at some 80 bytes each.
  static let fileLimit = 3 << 20
  /// Most instructions of a distributed checkpoint's metadata: 300,000 chunks take as many.
  static let metadataLimit = 16 << 20

  private var left: Int
  private var cursor: ByteCursor
  private var heap = PickleHeap()
  private var stack: [PickleHeap.Reference] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleHeap.Reference] = [:]

  /// The value that the pickle in `bytes` makes, and the heap it lies in.
  ///
  /// - Parameter limit: the most instructions that it may have.
  static func run(
    _ bytes: UnsafeRawBufferPointer, file: String, limit: Int = fileLimit
  ) throws(CheckpointError) -> (value: PickleHeap.Reference, heap: PickleHeap) {
    guard bytes.count <= byteLimit else {
      throw .limitExceeded(
        file: file, quantity: "pickle length", limit: byteLimit, got: UInt64(bytes.count))
    }
    var machine = PickleMachine(
      limit: limit, cursor: ByteCursor(bytes, at: 0, file: file, format: "pickle"))
    while try machine.step() {
      machine.left -= 1
      guard machine.left > 0 else {
        throw .limitExceeded(
          file: file, quantity: "number of pickle instructions", limit: limit,
          got: UInt64(limit) + 1)
      }
    }
    let value = try machine.pop()
    return (value, machine.heap)
  }

  private init(limit: Int, cursor: ByteCursor) {
    left = limit
    self.cursor = cursor
  }

  /// Runs one instruction; false after the last.
  private mutating func step() throws(CheckpointError) -> Bool {
    let code = try cursor.u8()
    switch code {
    case 0x80:  // PROTO
      let version = try cursor.u8()
      guard (2...Self.newest).contains(version) else {
        throw cursor.malformed("protocol \(version); 2 to \(Self.newest) are read")
      }
    case 0x95: try cursor.skip(8)  // FRAME
    case UInt8(ascii: "."): return false
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "N"): push(.none)
    case 0x88: push(.bool(true))
    case 0x89: push(.bool(false))
    case UInt8(ascii: "J"): try push(.int(Int(Int32(bitPattern: cursor.u32()))))
    case UInt8(ascii: "K"): try push(.int(Int(cursor.u8())))
    case UInt8(ascii: "M"): try push(.int(Int(cursor.u16())))
    case 0x8a: try pushLong(Int(cursor.u8()))
    case UInt8(ascii: "G"):
      try push(.float(Double(bitPattern: cursor.u64().byteSwapped)))
    case UInt8(ascii: "X"): try push(.text(cursor.text(Int(cursor.u32()))))
    case 0x8c: try push(.text(cursor.text(Int(cursor.u8()))))
    case 0x8d: try push(.text(cursor.text(length())))
    case UInt8(ascii: "U"): try push(.text(cursor.text(Int(cursor.u8()))))
    case UInt8(ascii: "C"):
      try cursor.skip(Int(cursor.u8()))
      push(.opaque)
    case UInt8(ascii: "B"):
      try cursor.skip(Int(cursor.u32()))
      push(.opaque)
    case 0x96:  // BYTEARRAY8
      try cursor.skip(length())
      push(.opaque)
    case UInt8(ascii: "]"): push(.list([]))
    case UInt8(ascii: "}"): push(.dictionary([]))
    case 0x8f: push(.list([]))  // EMPTY_SET
    case 0x91: try push(.list(popMark()))  // FROZENSET
    case UInt8(ascii: ")"): push(.tuple([]))
    case UInt8(ascii: "t"): try push(.tuple(popMark()))
    case 0x85...0x87: try push(.tuple(pop(count: Int(code) - 0x84)))
    case UInt8(ascii: "a"): try append(pop(count: 1))
    case UInt8(ascii: "e"), 0x90: try append(popMark())
    case UInt8(ascii: "s"): try insert(pop(count: 2))
    case UInt8(ascii: "u"): try insert(popMark())
    case UInt8(ascii: "c"):
      let module = try cursor.line(atMost: 1024), name = try cursor.line(atMost: 1024)
      try push(.global(global(module, name)))
    case 0x93:  // STACK_GLOBAL
      let parts = try pop(count: 2)
      guard case .text(let module) = heap[parts[0]], case .text(let name) = heap[parts[1]] else {
        throw cursor.malformed("a global has no name")
      }
      try push(.global(global(module, name)))
    case UInt8(ascii: "R"), 0x81:  // REDUCE, NEWOBJ
      let parts = try pop(count: 2)
      guard case .global(let function) = heap[parts[0]],
        case .tuple(let arguments) = heap[parts[1]]
      else { throw cursor.malformed("something that is no function is called") }
      try push(call(function, arguments))
    case UInt8(ascii: "b"): try build(pop())
    case UInt8(ascii: "Q"): try push(.storage(storage(pop())))
    case UInt8(ascii: "q"): try memorise(Int(cursor.u8()))
    case UInt8(ascii: "r"): try memorise(Int(cursor.u32()))
    case 0x94: try memorise(memo.count)
    case UInt8(ascii: "h"): try recall(Int(cursor.u8()))
    case UInt8(ascii: "j"): try recall(Int(cursor.u32()))
    default:
      throw cursor.malformed("instruction \(code) has no place in a checkpoint")
    }
    return true
  }

  private mutating func length() throws(CheckpointError) -> Int {
    try cursor.position(cursor.u64())
  }

  /// LONG1: a little-endian two's complement number.
  private mutating func pushLong(_ count: Int) throws(CheckpointError) {
    let bytes = try cursor.take(count)
    guard count <= 8 else { return push(.opaque) }
    var value: UInt64 = bytes.last.map { $0 & 0x80 != 0 } == true ? .max : 0
    for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
    push(.int(Int(Int64(bitPattern: value))))
  }

  private func global(_ module: String, _ name: String) throws(CheckpointError) -> PickleGlobal {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw .pickledName(
        file: cursor.file, name: "\(module).\(name)", offset: cursor.offset,
        kind: ForeignName(module: module, name: name))
    }
    return global
  }
}

extension PickleMachine {
  // The stack.

  private mutating func push(_ value: PickleHeap.Value) { stack.append(heap.add(value)) }

  /// Takes what lies above the last mark's floor, never what lies below it.
  private mutating func pop() throws(CheckpointError) -> PickleHeap.Reference {
    guard stack.count > marks.last ?? 0, let top = stack.popLast() else {
      throw cursor.malformed("the stack is empty")
    }
    return top
  }

  private mutating func pop(count: Int) throws(CheckpointError) -> [PickleHeap.Reference] {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw cursor.malformed("the stack is empty")
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popMark() throws(CheckpointError) -> [PickleHeap.Reference] {
    guard let mark = marks.popLast() else { throw cursor.malformed("a mark is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func top() throws(CheckpointError) -> PickleHeap.Reference {
    guard stack.count > marks.last ?? 0, let top = stack.last else {
      throw cursor.malformed("the stack is empty")
    }
    return top
  }

  private mutating func append(_ items: [PickleHeap.Reference]) throws(CheckpointError) {
    let list = try top()
    guard case .list(var members) = heap[list] else {
      throw cursor.malformed("a value is appended to something that is no list")
    }
    heap[list] = .none
    members += items
    heap[list] = .list(members)
  }

  private mutating func insert(_ items: [PickleHeap.Reference]) throws(CheckpointError) {
    let dictionary = try top()
    guard items.count.isMultiple(of: 2), case .dictionary(var members) = heap[dictionary] else {
      throw cursor.malformed("a value is put into something that is no dictionary")
    }
    // Taken out first, or the array would be copied.
    heap[dictionary] = .none
    for index in stride(from: 0, to: items.count, by: 2) {
      members.append((items[index], items[index + 1]))
    }
    heap[dictionary] = .dictionary(members)
  }

  private mutating func memorise(_ key: Int) throws(CheckpointError) { memo[key] = try top() }

  private mutating func recall(_ key: Int) throws(CheckpointError) {
    guard let value = memo[key] else { throw cursor.malformed("memo \(key) is empty") }
    stack.append(value)
  }
}

extension PickleMachine {
  // What the allowed names do.

  private func call(
    _ function: PickleGlobal, _ arguments: [PickleHeap.Reference]
  ) throws(CheckpointError) -> PickleHeap.Value {
    switch function {
    case .orderedDictionary:
      guard arguments.isEmpty else {
        throw cursor.malformed("an OrderedDict is made of something")
      }
      return .dictionary([])
    case .rebuildTensor: return .tensor(try tensor(arguments))
    case .rebuildParameter:
      guard let first = arguments.first, case .tensor = heap[first] else {
        throw cursor.malformed("a parameter has no tensor")
      }
      return heap[first]
    case .size:
      guard let first = arguments.first, heap.integers(first) != nil else {
        throw cursor.malformed("a size is not made of integers")
      }
      return heap[first]
    case .object(let kind):
      guard arguments.isEmpty else { throw cursor.malformed("a \(kind) is made of something") }
      return .object(kind, state: nil)
    case .record: return .opaque
    case .storage, .type: throw cursor.malformed("a type is called")
    }
  }

  /// BUILD: gives the value on the stack its attributes; those of most say nothing about tensors.
  private mutating func build(_ state: PickleHeap.Reference) throws(CheckpointError) {
    let instance = try top()
    guard case .object(let kind, let earlier) = heap[instance] else { return }
    guard earlier == nil else { throw cursor.malformed("a \(kind) is given attributes twice") }
    heap[instance] = .object(kind, state: state)
  }

  /// `_rebuild_tensor(storage, offset, size, stride, ...)`; version 3 names the type after the hooks.
  private func tensor(
    _ arguments: [PickleHeap.Reference]
  ) throws(CheckpointError) -> PickleHeap.Tensor {
    guard arguments.count >= 4, case .storage(let storage) = heap[arguments[0]],
      case .int(let offset) = heap[arguments[1]], let shape = heap.integers(arguments[2]),
      let strides = heap.integers(arguments[3])
    else { throw cursor.malformed("a tensor is not described as one") }
    var type = storage.type
    if arguments.count > 6, case .global(.type(let named)) = heap[arguments[6]] { type = named }
    guard let type else { throw cursor.malformed("a tensor has no type") }
    return PickleHeap.Tensor(
      storage: storage, type: type, offset: offset, shape: shape, strides: strides)
  }

  /// A persistent id: ('storage', type, key, device, elements).
  private func storage(
    _ reference: PickleHeap.Reference
  ) throws(CheckpointError) -> PickleHeap.Storage {
    guard case .tuple(let parts) = heap[reference], parts.count >= 5,
      case .text("storage") = heap[parts[0]], case .global(.storage(let type)) = heap[parts[1]],
      case .text(let key) = heap[parts[2]], case .int(let count) = heap[parts[4]], count >= 0
    else { throw cursor.malformed("a storage is not described as one") }
    return PickleHeap.Storage(key: key, type: type, count: count)
  }
}
