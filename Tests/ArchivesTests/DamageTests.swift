import Archives
import Checkpoints
import Foundation
import TestSupport
import Testing

/// Damage anywhere in an archive is found, and said where it lies; nothing unsound is unpacked.
struct DamageTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func check(_ bytes: [UInt8]) -> CheckpointError? {
    checkpointError {
      try Archive(path: directory.write("damaged.sbz", bytes)).check(memory: 8 << 20)
    }
  }

  /// Found, or harmless: libzstd ignores a few bits of compressed blocks.
  @Test(arguments: ["uncompressed", "written"])
  func `a change of any byte is found`(_ name: String) throws {
    let sound = try Files.bytes(formatPath("valid/\(name).sbz"))
    let tree = try Files.tree(formatPath("valid/tree"))
    #expect(check(sound) == nil)
    var unnoticed = 0
    for position in sound.indices {
      for mask: UInt8 in [0x01, 0x10, 0xff] {
        var damaged = sound
        damaged[position] ^= mask
        guard check(damaged) == nil else { continue }
        unnoticed += 1
        let output = directory("\(position)-\(mask)")
        try Archive(path: directory("damaged.sbz")).unpack(to: output, memory: 8 << 20)
        #expect(try Files.tree(output) == tree, "byte \(position) ^ \(mask)")
      }
    }
    #expect(unnoticed <= (name == "written" ? 8 : 0))
  }

  @Test func `an archive cut short anywhere is refused`() throws {
    let sound = try Files.bytes(formatPath("valid/written.sbz"))
    for count in sound.indices {
      #expect(check(Array(sound[..<count])) != nil, "\(count) bytes")
    }
    #expect(check(sound + [0]) != nil)
  }

  @Test func `the damaged frame, tensor and file are named, and nothing is unpacked`() throws {
    let source = try writeMixedTree(directory)
    try pack(source, to: directory("a.sbz"))
    var bytes = try Files.bytes(directory("a.sbz"))
    // Frames of similar tensors: the middle of the archive lies in b.
    bytes[bytes.count / 2 + bytes.count / 8] ^= 1
    try directory.write("a.sbz", bytes)
    let archive = try Archive(path: directory("a.sbz"))
    for unpack in [
      { try archive.check(memory: someMemory) },
      { try archive.unpack(to: directory("out"), memory: someMemory) },
      { try archive.extract("b", to: directory("b"), memory: someMemory) },
    ] {
      let error = checkpointError(unpack)
      #expect(error?.location == directory("a.sbz"))
      #expect(error?.what.contains("frame ") == true)
      #expect(error?.what.contains("(tensor b of model.safetensors)") == true)
    }
    try archive.extract("a", to: directory("a"), memory: someMemory)
    #expect(!Files.exist(directory("out")) && !Files.exist(directory("b")))
  }

  @Test func `an interrupted unpacking is finished from a sound copy`() throws {
    let source = try writeMixedTree(directory)
    try pack(source, to: directory("a.sbz"))
    let sound = try Files.bytes(directory("a.sbz"))
    var damaged = sound
    damaged[sound.count / 2] ^= 1
    try directory.write("a.sbz", damaged)
    #expect(throws: CheckpointError.self) {
      try Archive(path: directory("a.sbz")).unpack(to: directory("out"), memory: someMemory)
    }
    #expect(Files.exist(directory("out.partial")) && !Files.exist(directory("out")))
    try directory.write("a.sbz", sound)
    try Archive(path: directory("a.sbz")).unpack(
      to: directory("out"), mode: .init(resume: true), memory: someMemory)
    #expect(try Files.tree(directory("out")) == Files.tree(source))
    #expect(!Files.exist(directory("out.partial")))
  }
}
