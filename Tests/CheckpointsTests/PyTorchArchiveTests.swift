import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// What is written as `torch.save` writes it is read again, and lies where it was said to.
struct PyTorchArchiveTests {
  private func write(_ archive: PyTorchArchive, _ storages: [[UInt8]], to path: String) throws {
    var bytes: [UInt8] = []
    try archive.write(with: { bytes += $0 }) { key, observe in
      #expect(bytes.count == archive.offset(ofStorage: key))
      bytes += storages[key]
      // In two blocks, as a larger tensor comes.
      let half = storages[key].count / 2
      storages[key][..<half].withUnsafeBytes { observe($0) }
      storages[key][half...].withUnsafeBytes { observe($0) }
    }
    #expect(bytes.count == archive.byteCount)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  @Test func `tensors of every type, aligned, with their checksums`() throws {
    let directory = try TemporaryDirectory()
    let types: [ScalarType] = [
      .float64, .float32, .float16, .bfloat16, .int64, .int32, .int16, .int8, .uint8, .bool,
    ]
    let storages = types.enumerated().map { index, type in
      (0..<6 * type.blockBytes).map { UInt8(truncatingIfNeeded: $0 * 7 + index) }
    }
    var writer = PickleWriter()
    writer.dictionary { top in
      for (key, type) in types.enumerated() {
        top.text(type.rawValue)
        top.tensor(storage: key, type: type, shape: [2, 3])
      }
    }
    let archive = PyTorchArchive(pickle: writer.finish(), storages: storages.map(\.count))
    try write(archive, storages, to: directory("a.pt"))
    let file = try PyTorchFile(path: directory("a.pt"))
    #expect(file.tensors.map(\.type) == types)
    for (key, tensor) in file.tensors.enumerated() {
      #expect(tensor.offset % PyTorchArchive.alignment == 0)
      #expect(tensor.offset == archive.offset(ofStorage: key) && tensor.shape == [2, 3])
      let view = try file.view(tensor.name)
      #expect(withExtendedLifetime(view) { Array(view.bytes) } == storages[key])
    }
  }

  @Test func `settings of every kind are read as they were written`() throws {
    let directory = try TemporaryDirectory()
    let arguments = try JSONParser.parse(
      Array(
        """
        {"none": null, "yes": true, "no": false, "small": 7, "two": 300, "negative": -1, \
        "wide": 3000000000, "float": 1e-05, "one": 1.0, "text": "größer", "list": [1, [2, 3]], \
        "object": {"a": "b"}}
        """.utf8))
    var writer = PickleWriter()
    writer.dictionary { top in
      top.text("args")
      top.object("argparse", "Namespace") { $0.json(arguments) }
      top.text("checkpoint_version")
      top.float(3)
      top.text("model")
      top.orderedDictionary { model in
        model.text("w")
        model.tensor(storage: 0, type: .float32, shape: [1])
        model.text("w._extra_state")
        model.none()
      }
    }
    let archive = PyTorchArchive(pickle: writer.finish(), storages: [4])
    try write(archive, [[1, 2, 3, 4]], to: directory("a.pt"))
    let file = try PyTorchFile(path: directory("a.pt"))
    #expect(file.settings.keys == ["args", "checkpoint_version"])
    let read = try #require(file.settings["args"]?.object)
    #expect(read.keys == arguments.object?.keys)
    for (key, value) in arguments.object?.members ?? [] {
      #expect(read[key]?.double == value.double && read[key]?.string == value.string, "\(key)")
    }
    #expect(read["list"]?.compact == "[1,[2,3]]" && read["wide"]?.int == 3_000_000_000)
    #expect(file.tensors.map(\.name) == ["w"])
  }

  @Test func `numbers that do not fit 32 bits have the long form`() throws {
    let large = 5 << 30
    let archive = PyTorchArchive(pickle: [0], storages: [large, 4])
    #expect(archive.offset(ofStorage: 1) > large)
    let local = ZipRecord.local("a/data/0", isLong: true, at: 100, start: 100 + 92)
    #expect(local.count == 92)
    #expect(Array(local[18..<26]) == [UInt8](repeating: 0xff, count: 8))
    let central = ZipRecord.central("n", count: large, checksum: 1, header: large)
    let extra = Array(central[47...])
    #expect(extra.count == 28 && extra[0] == 1 && extra[2] == 24)
    #expect(ZipRecord.descriptor(1, count: large, isLong: true).count == 24)
    #expect(ZipRecord.end(entries: 2, start: large, size: 10).count == ZipRecord.endBytes)
  }
}
