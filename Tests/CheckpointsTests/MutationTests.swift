import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// Damaged copies of valid files give an error or a consistent checkpoint, never a crash.
@Suite struct MutationTests {
  /// Mutations per file; more when the environment asks (`MUTATIONS=200000`).
  private let count = Int(ProcessInfo.processInfo.environment["MUTATIONS"] ?? "") ?? 2000

  @Test func safetensors() throws {
    let path = formatsPath("safetensors/valid/types.safetensors")
    let original = try contents(path)
    let header = original.withUnsafeBytes { 8 + Int($0.load(as: UInt64.self)) }
    try mutate(original, numbers: [header..<original.count]) { path in
      try content(SafetensorsFile(path: path))
    }
  }

  @Test func gguf() throws {
    let path = formatsPath("gguf/valid/types.gguf"), original = try contents(path)
    // Between the tensors is padding.
    let file = try GGUFFile(path: path)
    let numbers = try file.tensors.map { tensor in
      let bytes = try Array(file.view(tensor.name).bytes)
      let start = try #require(original.indices.first { original[$0...].starts(with: bytes) })
      return start..<start + bytes.count
    }
    try mutate(original, numbers: numbers) { path in
      try content(GGUFFile(path: path))
    }
  }

  @Test func pyTorch() throws {
    try mutate("pytorch/valid/types.pt") { path in try content(PyTorchFile(path: path)) }
  }

  /// Each is read by a process of its own: fewer. `Tests/Trust/mutate.py` tries thousands.
  @Test func hdf5() throws {
    try mutate(contents(formatsPath("hdf5/valid/types.h5")), share: 20) { path in
      try content(HDF5File(path: path))
    }
  }

  /// The pickle alone: in a file its checksum would stop most of the damage.
  @Test func pickle() throws {
    let path = formatsPath("pytorch/valid/types.pt")
    let archive = try contents(path)
    let pickle = try archive.withUnsafeBytes { bytes in
      let entry = try ZipDirectory(bytes, file: path).entries.first { $0.name.hasSuffix(".pkl") }
      return Array(bytes[try #require(entry).range])
    }
    try mutate(pickle) { path in
      ["": try contents(path).withUnsafeBytes { "\(try PickleMachine.run($0, file: path))" }]
    }
  }

  /// The description alone, and an archive of chunks.
  @Test(arguments: [".metadata", "__0_0.distcp"])
  func distributed(_ name: String) throws {
    let vector = "dcp/valid/megatron", directory = try TemporaryDirectory()
    for file in [".metadata", "__0_0.distcp", "__0_1.distcp"] {
      try directory.write(file, contents(formatsPath("\(vector)/\(file)")))
    }
    try mutate("\(vector)/\(name)") { path in
      try directory.write(name, contents(path))
      return try content(DistributedCheckpoint(path: directory.path))
    }
  }

  @Test func manifest() throws {
    try mutate("manifest/valid/manifest.json") { path in
      ["": try Manifest(path: path).json.pretty]
    }
  }

  @Test func index() throws {
    try mutate("safetensors/valid/sharded/model.safetensors.index.json", accepts: false) { path in
      try content(SafetensorsCheckpoint(path: path))
    }
  }

  /// Every tensor with its type, shape and bytes, each of which is touched, so that a view beyond its
  /// file would be noticed.
  private func content(_ reader: some CheckpointReader) throws -> [String: String] {
    #expect(Set(reader.tensors.map(\.name)).count == reader.tensors.count)
    return try reader.tensors.reduce(into: [:]) { content, tensor in
      let view = try reader.view(tensor.name)
      #expect(view.bytes.count == tensor.byteCount)
      #expect(view.shape.byteCount(view.type) == view.bytes.count)
      content[tensor.name] = "\(view.type) \(view.shape) \(SHA256.hash(Array(view.bytes)).hex)"
    }
  }

  /// Opens damaged copies of a vector and judges each; see below.
  private func mutate(
    _ vector: String, accepts: Bool = true, _ open: (String) throws -> [String: String]
  ) throws {
    try mutate(contents(formatsPath(vector)), accepts: accepts, open)
  }

  /// Opens damaged copies of a file. Each is either refused by a `CheckpointError` or read the same
  /// way twice; and
  /// - one that was cut short is refused;
  /// - one that is as it was is read as it was;
  /// - where numbers lie in the file as they are, without a checksum: one with the length of the
  ///   original and all that comes before them is read, and differs when one of them does.
  ///
  /// - Parameter share: one of how many is made.
  private func mutate(
    _ original: [UInt8], numbers: [Range<Int>] = [], accepts: Bool = true, share: Int = 1,
    _ open: (String) throws -> [String: String]
  ) throws {
    let directory = try TemporaryDirectory()
    let whole = accepts ? try open(directory.write("file.index.json", original)) : [:]
    let first = numbers.map(\.lowerBound).min() ?? original.count
    // Padding and a last line feed say nothing.
    let end =
      numbers.map(\.upperBound).max() ?? original.count
      - (original.last == UInt8(ascii: "\n") ? 1 : 0)
    var random = SplitMix(state: 42)
    var accepted = 0
    let count = count / share
    for index in 0..<count {
      let bytes = mutant(of: original, &random)
      let path = try directory.write("file.index.json", bytes)
      var content: [String: String]?
      do {
        content = try open(path)
        accepted += 1
        #expect(try open(path) == content, "mutant \(index)")
      } catch is CheckpointError {
      }
      let isOriginal = bytes == original
      let isCut = bytes.count < end && original.starts(with: bytes)
      if isOriginal, accepts { #expect(content == whole, "mutant \(index) is the original") }
      if isCut { #expect(content == nil, "mutant \(index) is the first \(bytes.count) bytes") }
      if bytes.count == original.count, first < end, bytes[..<first] == original[..<first] {
        #expect(content != nil, "mutant \(index) has the header of the original")
        let isSame = numbers.allSatisfy { bytes[$0] == original[$0] }
        #expect((content == whole) == isSame, "mutant \(index)")
      }
    }
    // Some damage goes unseen, some is found.
    #expect(accepted < count && (accepted > 0) == accepts)
  }

  /// A copy with one to four faults.
  private func mutant(of original: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var bytes = original
    for _ in 0...Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = .random(in: .min ... .max, using: &random)
      case 2: bytes[place] = [0, 0xff, 0x7f, 0x80].randomElement(using: &random) ?? 0
      case 3: bytes.removeSubrange(place...)
      case 4: bytes.remove(at: place)
      default: bytes.insert(bytes[place], at: place)
      }
    }
    return bytes
  }
}

/// A small seeded generator (splitmix64), so that a failure can be repeated.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
