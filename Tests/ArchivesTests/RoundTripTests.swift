import Archives
import Checkpoints
import Foundation
import Foundations
import TensorTypes
import TestSupport
import Testing

/// A directory comes back byte for byte, and its archive depends on nothing but its bytes.
struct RoundTripTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a directory comes back byte for byte`() throws {
    let source = try writeMixedTree(directory)
    let result = try pack(source, to: directory("a.sbz"))
    #expect(result.bytes == (try Files.bytes(directory("a.sbz")).count))
    let archive = try Archive(path: directory("a.sbz"))
    try archive.check(memory: someMemory)
    try archive.unpack(to: directory("out"), memory: someMemory)
    #expect(try Files.tree(directory("out")) == Files.tree(source))
    #expect(directory.names == ["a.sbz", "in", "out"])
    #expect(archive.index.tensors.count == 10)
    // Header and tensors without the empty one, of which a takes two frames and b two, and four
    // more files that are not empty; then the index.
    #expect(result.frames == 1 + 9 + 2 + 4 + 1)
  }

  @Test func `a directory without files, or with empty ones, comes back`() throws {
    try FileManager.default.createDirectory(
      atPath: directory("in"), withIntermediateDirectories: true)
    try pack(directory("in"), to: directory("a.sbz"))
    try Archive(path: directory("a.sbz")).unpack(to: directory("out"), memory: someMemory)
    #expect(try Files.tree(directory("out")).isEmpty)
    try directory.write("in/x/empty", "")
    try pack(directory("in"), to: directory("b.sbz"))
    try Archive(path: directory("b.sbz")).unpack(to: directory("out2"), memory: someMemory)
    #expect(try Files.tree(directory("out2")) == ["x/empty": []])
  }

  @Test func `the bytes of an archive do not depend on memory`() throws {
    let source = try writeMixedTree(directory)
    try pack(source, to: directory("a.sbz"), memory: 8 << 20)
    try pack(source, to: directory("b.sbz"), memory: 512 << 20)
    #expect(try Files.bytes(directory("a.sbz")) == Files.bytes(directory("b.sbz")))
  }

  @Test func `weights shrink to 70 percent`() throws {
    let file = try safetensors([.init(name: "w", type: .bfloat16, shape: [1 << 20])])
    try directory.write("in/model.safetensors", file)
    let result = try pack(directory("in"), to: directory("a.sbz"))
    #expect(Double(result.bytes) < 0.70 * Double(file.count))
  }

  @Test func `archives that another program wrote are read`() throws {
    let archive = try Archive(path: formatPath("valid/uncompressed.sbz"))
    try archive.unpack(to: directory("out"), memory: someMemory)
    #expect(try Files.tree(directory("out")) == Files.tree(formatPath("valid/tree")))
  }

  @Test func `archives of earlier versions are read`() throws {
    let archive = try Archive(path: formatPath("valid/written.sbz"))
    try archive.unpack(to: directory("out"), memory: someMemory)
    #expect(try Files.tree(directory("out")) == Files.tree(formatPath("valid/tree")))
  }

  @Test func `what is no regular file is refused`() throws {
    try directory.write("in/file", "x")
    symlink("file", directory("in/link"))
    #expect(
      checkpointError { _ = try PackPlan(directory: directory("in")) }
        == .notRegularFile(file: directory("in/link")))
    unlink(directory("in/link"))
    mkfifo(directory("in/pipe"), 0o600)
    #expect(
      checkpointError { _ = try PackPlan(directory: directory("in")) }
        == .notRegularFile(file: directory("in/pipe")))
  }

  @Test func `a directory that is still being written is refused`() throws {
    try directory.write("in/.spikingbrain-journal", "")
    let error = checkpointError { _ = try PackPlan(directory: directory("in")) }
    #expect(error == .invalidFileName(file: directory("in"), name: ".spikingbrain-journal"))
  }

  @Test func `an archive is not written over, nor into its directory`() throws {
    try directory.write("in/file", "x")
    try directory.write("a.sbz", "precious")
    #expect(
      checkpointError { try pack(directory("in"), to: directory("a.sbz")) }
        == .outputExists(path: directory("a.sbz")))
    #expect(try Files.text(directory("a.sbz")) == "precious")
    try pack(directory("in"), to: directory("a.sbz"), force: true)
    try Archive(path: directory("a.sbz")).check(memory: someMemory)
    let inside = checkpointError { try pack(directory("in"), to: directory("in/b.sbz")) }
    #expect(inside?.description.contains("in the directory that is packed") == true)
    #expect(try Files.tree(directory("in")).keys.sorted() == ["file"])
  }
}
