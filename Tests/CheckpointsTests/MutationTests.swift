import Foundation
import StrictJSON
import TensorTypes
import Testing

@testable import Checkpoints

/// Damaged copies of valid files give an error or a consistent checkpoint, never a crash.
@Suite struct MutationTests {
  /// Mutations per file; more when the environment asks (`MUTATIONS=200000`).
  private let count = Int(ProcessInfo.processInfo.environment["MUTATIONS"] ?? "") ?? 2000

  @Test func safetensors() throws {
    let accepted = try mutate("safetensors/valid/types.safetensors") { path in
      let file = try SafetensorsFile(path: path)
      try readEverything(file)
    }
    #expect(accepted < count)
  }

  @Test func gguf() throws {
    let accepted = try mutate("gguf/valid/types.gguf") { path in
      let file = try GGUFFile(path: path)
      try readEverything(file)
    }
    #expect(accepted < count)
  }

  @Test func pyTorch() throws {
    let accepted = try mutate("pytorch/valid/types.pt") { path in
      try readEverything(PyTorchFile(path: path))
    }
    #expect(accepted < count)
  }

  /// The pickle alone: in a file its checksum would stop most of the damage.
  @Test func pickle() throws {
    let path = formatsPath("pytorch/valid/types.pt")
    let archive = try contents(path)
    let pickle = try archive.withUnsafeBytes { bytes in
      let entry = try ZipDirectory(bytes, file: path).entries.first { $0.name.hasSuffix(".pkl") }
      return Array(bytes[try #require(entry).range])
    }
    let accepted = try mutate(pickle) { path in
      _ = try contents(path).withUnsafeBytes { try PickleMachine.run($0, file: path) }
    }
    #expect(accepted < count)
  }

  /// The description alone, and an archive of chunks.
  @Test(arguments: [".metadata", "__0_0.distcp"])
  func distributed(_ name: String) throws {
    let vector = "dcp/valid/megatron", directory = try TemporaryDirectory()
    for file in [".metadata", "__0_0.distcp", "__0_1.distcp"] {
      try directory.write(file, contents(formatsPath("\(vector)/\(file)")))
    }
    let accepted = try mutate("\(vector)/\(name)") { path in
      try directory.write(name, contents(path))
      try readEverything(DistributedCheckpoint(path: directory.path))
    }
    #expect(accepted < count)
  }

  @Test func manifest() throws {
    let accepted = try mutate("manifest/valid/manifest.json") { path in
      _ = try Manifest(path: path).json.pretty
    }
    #expect(accepted < count)
  }

  @Test func index() throws {
    let accepted = try mutate("safetensors/valid/sharded/model.safetensors.index.json") { path in
      _ = try SafetensorsCheckpoint(path: path)
    }
    #expect(accepted == 0)
  }

  /// Touches every byte of every tensor, so that a view beyond its file would be noticed.
  private func readEverything(_ reader: some CheckpointReader) throws {
    for tensor in reader.tensors {
      let view = try reader.view(tensor.name)
      #expect(view.bytes.count == tensor.byteCount)
      #expect(view.shape.byteCount(view.type) == view.bytes.count)
      _ = view.bytes.reduce(0) { $0 &+ Int($1) }
    }
  }

  /// Opens damaged copies of a vector; returns how many were accepted.
  private func mutate(_ vector: String, _ open: (String) throws -> Void) throws -> Int {
    try mutate(contents(formatsPath(vector)), open)
  }

  private func mutate(_ original: [UInt8], _ open: (String) throws -> Void) throws -> Int {
    let directory = try TemporaryDirectory()
    var random = SplitMix(state: 42)
    var accepted = 0
    for _ in 0..<count {
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
      let path = try directory.write("file.index.json", bytes)
      do {
        try open(path)
        accepted += 1
      } catch is CheckpointError {
      }
    }
    return accepted
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
