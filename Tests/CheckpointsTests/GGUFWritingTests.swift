import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// GGUF headers that are written, and models of several files.
struct GGUFWritingTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The file of `header`, each tensor filled with its number.
  private func bytes(_ header: GGUFHeader) -> [UInt8] {
    var bytes = header.bytes
    for (number, tensor) in header.tensors.enumerated() {
      bytes += [UInt8](repeating: 0, count: tensor.offset - bytes.count)
      bytes += [UInt8](repeating: UInt8(number + 1), count: tensor.byteCount)
    }
    return bytes + [UInt8](repeating: 0, count: header.fileBytes - bytes.count)
  }

  /// Writes part `number` of `count` of a model called `m`, which holds tensors named `names`.
  private func part(
    _ number: Int, of count: Int, _ names: [String], says: (number: Int, tensors: Int)? = nil
  ) throws {
    let header = try GGUFHeader(
      file: "m",
      metadata: [
        ("general.architecture", .string("test")),
        (GGUFSplit.numberKey, .uint16(UInt16(says?.number ?? number))),
        (GGUFSplit.countKey, .uint16(UInt16(count))),
        (GGUFSplit.tensorCountKey, .int32(Int32(says?.tensors ?? 3))),
      ], entries: names.map { .init(name: $0, type: .float32, shape: [2]) })
    try directory.write(GGUFSplit.name("m", number, of: count), bytes(header))
  }

  private func error() -> CheckpointError? {
    checkpointError { _ = try GGUFCheckpoint(path: directory("m-00001-of-00002.gguf")) }
  }

  @Test func `what is written is read`() throws {
    let header = try GGUFHeader(
      file: "m.gguf",
      metadata: [
        ("general.architecture", .string("spikingbrain")), ("a.u16", .uint16(65535)),
        ("a.u32", .uint32(7)), ("a.i32", .int32(-3)), ("a.f32", .float32(1e-6)),
        ("a.bytes", .bytes([0, 255])), ("a.text", .string("ö\n")),
      ],
      entries: [
        .init(name: "a", type: .float32, shape: [3]),
        .init(name: "b", type: .bfloat16, shape: [2, 3]),
        .init(name: "c", type: .q8_0, shape: [2, 64]),
        .init(name: "d", type: .float16, shape: [1]),
      ])
    let file = try GGUFFile(path: directory.write("m.gguf", bytes(header)))
    #expect(file.version == 3 && file.alignment == 32)
    #expect(file.metadata.int("a.u16") == 65535)
    #expect(file.metadata.int("a.i32") == -3)
    #expect(file.metadata.double("a.f32") == 1e-6)
    #expect(file.metadata.ints("a.bytes") == [0, 255])
    #expect(file.metadata.string("a.text") == "ö\n")
    #expect(file.tensors.map(\.name) == ["a", "b", "c", "d"])
    #expect(file.tensors.map(\.shape) == [[3], [2, 3], [2, 64], [1]])
    for (number, tensor) in file.tensors.enumerated() {
      #expect(tensor.offset == header.tensors[number].offset && tensor.offset % 32 == 0)
      let view = try file.view(tensor.name)
      #expect(withExtendedLifetime(view) { view.bytes.allSatisfy { $0 == UInt8(number + 1) } })
    }
    #expect(header.fileBytes % 32 == 0)
  }

  @Test func `what readers would refuse is not written`() {
    func error(
      _ entries: [SafetensorsHeader.Entry], _ value: GGUFHeader.Value = .uint32(1)
    ) -> CheckpointError? {
      checkpointError {
        _ = try GGUFHeader(file: "m", metadata: [("k", value)], entries: entries)
      }
    }
    let long = String(repeating: "n", count: 64)
    #expect(
      error([.init(name: long, type: .float32, shape: [1])])
        == .nameTooLong(tensor: long, limit: 63))
    #expect(
      error([.init(name: "a", type: .uint8, shape: [1])]) == .notWritable(tensor: "a", type: .uint8)
    )
    let five: Shape = [1, 1, 1, 1, 1]
    #expect(
      error([.init(name: "a", type: .float32, shape: five)])
        == .notWritable(tensor: "a", type: .float32))
    #expect(
      error([.init(name: "a", type: .q8_0, shape: [2, 33])])
        == .sizeOverflow(file: "m", tensor: "a", shape: [2, 33], type: .q8_0))
    let twice = SafetensorsHeader.Entry(name: "a", type: .float32, shape: [1])
    #expect(error([twice, twice]) == .duplicateTensor(tensor: "a", first: "m", second: "m"))
    #expect(
      error([], .bytes([UInt8](repeating: 0, count: 1 << 22 + 1)))?.what.contains("k") == true)
  }

  @Test func `names of parts`() {
    #expect(GGUFSplit.name("m", 0, of: 12) == "m-00001-of-00012.gguf")
    #expect(GGUFSplit.parse("a-b-00002-of-00012.gguf")?.stem == "a-b")
    #expect(GGUFSplit.parse("a-00002-of-00012.gguf")?.number == 1)
    for name in [
      "a.gguf", "a-2-of-12.gguf", "a-00000-of-00001.gguf", "a-00001-of-00002.bin",
      "a-+0001-of-00002.gguf", "00001-of-00002.gguf",
    ] { #expect(GGUFSplit.parse(name) == nil, "\(name)") }
  }

  @Test func `parts make one model`() throws {
    try part(0, of: 2, ["a", "b"])
    try part(1, of: 2, ["c"])
    let model = try GGUFCheckpoint(path: directory("m-00001-of-00002.gguf"))
    #expect(model.tensors.map(\.name) == ["a", "b", "c"])
    #expect(model.files.count == 2 && model.metadata.string("general.architecture") == "test")
    let view = try model.view("c")
    #expect(withExtendedLifetime((model, view)) { view.bytes.allSatisfy { $0 == 1 } })
    let second = directory("m-00002-of-00002.gguf")
    #expect(
      checkpointError { _ = try GGUFCheckpoint(path: second) }
        == .splitFile(file: second, count: 2))
  }

  @Test func `parts that do not belong together are refused`() throws {
    try part(0, of: 2, ["a", "b"])
    let first = directory("m-00001-of-00002.gguf"), second = directory("m-00002-of-00002.gguf")
    #expect(error() == .missingShards(index: first, files: ["m-00002-of-00002.gguf"]))
    try part(1, of: 2, ["c"], says: (number: 0, tensors: 3))
    #expect(
      error() == .splitField(file: second, key: GGUFSplit.numberKey, expected: 1, got: 0))
    try part(1, of: 2, ["c", "d"])
    #expect(
      error() == .splitField(file: first, key: GGUFSplit.tensorCountKey, expected: 4, got: 3))
    try part(1, of: 2, ["a"])
    #expect(error() == .duplicateTensor(tensor: "a", first: first, second: second))
  }
}
