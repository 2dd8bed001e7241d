import Checkpoints
import TensorTypes
import TestSupport
import Testing

@testable import Archives

/// One tensor without the rest.
struct ExtractionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `every tensor is the one in the file`() throws {
    let source = try writeMixedTree(directory)
    try pack(source, to: directory("a.sbz"))
    let original = try SafetensorsFile(path: source + "/model.safetensors")
    let archive = try Archive(path: directory("a.sbz"))
    for tensor in original.tensors {
      try archive.extract(tensor.name, to: directory(tensor.name), memory: someMemory)
      let file = try SafetensorsFile(path: directory("\(tensor.name)/model.safetensors"))
      #expect(file.tensors.map(\.name) == [tensor.name])
      let (found, expected) = (try file.view(tensor.name), try original.view(tensor.name))
      #expect(found.shape == expected.shape && found.type == expected.type)
      #expect(found.bytes.elementsEqual(expected.bytes), "\(tensor.name)")
    }
  }

  @Test func `no frame of another tensor is read`() throws {
    let source = try writeMixedTree(directory)
    try pack(source, to: directory("a.sbz"))
    let sound = try Files.bytes(directory("a.sbz"))
    let original = try SafetensorsFile(path: source + "/model.safetensors")
    // Where b lies: changing any other byte of the frames must go unnoticed.
    let archive = try Archive(path: directory("a.sbz"))
    let kept = try #require(try range(of: "b", in: archive))
    let end = try #require(archive.frames.last).range.upperBound
    var ruined = sound
    for position in 0..<end where !kept.contains(position) { ruined[position] = 0xaa }
    try directory.write("b.sbz", ruined)
    let survivor = try Archive(path: directory("b.sbz"))
    #expect(throws: CheckpointError.self) { try survivor.check(memory: someMemory) }
    try survivor.extract("b", to: directory("b"), memory: someMemory)
    let found = try SafetensorsFile(path: directory("b/model.safetensors")).view("b")
    #expect(found.bytes.elementsEqual(try original.view("b").bytes))
  }

  /// The bytes of the archive that hold the frames of `tensor`.
  private func range(of tensor: String, in archive: Archive) throws -> Range<Int>? {
    let number = try archive.find(tensor).file
    let frames = archive.index.files[number].parts.pieces.enumerated()
      .filter { $0.element.part.tensor?.name == tensor }
      .map { archive.frames[archive.firstFrames[number] + $0.offset].range }
    guard let first = frames.first, let last = frames.last else { return nil }
    return first.lowerBound..<last.upperBound
  }

  @Test func `names must be known, and of one file`() throws {
    let file = try safetensors([.init(name: "w", type: .float32, shape: [2])])
    try directory.write("in/x.safetensors", file)
    try directory.write("in/y.safetensors", file)
    try pack(directory("in"), to: directory("a.sbz"))
    let archive = try Archive(path: directory("a.sbz"))
    #expect(
      checkpointError { _ = try archive.find("v") }
        == .noSuchTensor(file: directory("a.sbz"), tensor: "v", nearest: "w"))
    #expect(
      checkpointError { _ = try archive.find("lm_head") }
        == .noSuchTensor(file: directory("a.sbz"), tensor: "lm_head", nearest: nil))
    #expect(
      checkpointError { _ = try archive.find("w") }
        == .duplicateTensor(tensor: "w", first: "x.safetensors", second: "y.safetensors"))
  }
}
