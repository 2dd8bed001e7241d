import Architectures
import Checkpoints
import Foundation
import Foundations
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// Directories of Megatron's ranks that PyTorch wrote are one model; below `formats/megatron/hostile`
/// each is refused with the words that `EXPECTED.txt` states.
struct MegatronReaderTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    var name: String
    var expected: String
    var path: String { MegatronReaderTests.folder + "hostile/" + name }
    var testDescription: String { name }
  }

  static let folder = Repository.root + "/formats/megatron/"

  static let vectors: [Vector] = {
    let lines = (try? Files.text(folder + "hostile/EXPECTED.txt")) ?? ""
    return lines.split(separator: "\n").compactMap { line in
      line.range(of: ": ").map {
        Vector(
          name: String(line[..<$0.lowerBound]), expected: String(line[$0.upperBound...]))
      }
    }
  }()

  @Test(arguments: vectors)
  func `malformed directories are refused`(_ vector: Vector) throws {
    do {
      try ModelFile.open(vector.path).requireSound()
      Issue.record("was accepted")
    } catch let error as any ReportableError {
      var what = error.what
      for rank in ["00", "01"] {
        let file = "\(vector.path)/release/mp_rank_\(rank)/model_optim_rng.pt"
        what = what.replacing(file, with: "FILE")
      }
      #expect(what.hasPrefix(vector.expected), "\(what)")
      #expect(error.location?.hasPrefix(vector.path) == true, "\(error)")
    }
  }

  @Test func `every hostile directory is listed`() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder + "hostile")
    #expect(Set(names) == Set(Self.vectors.map(\.name) + ["EXPECTED.txt"]))
    #expect(names.count > 30)
  }

  @Test(arguments: ["dense", "experts", "grouped"])
  func `what PyTorch cut is put together`(_ name: String) throws {
    let file = try ModelFile.open(Self.folder + "valid/" + name)
    try file.requireSound()
    let model = try SafetensorsCheckpoint(path: Self.folder + "valid/\(name).safetensors")
    #expect(Set(file.reader.tensors.map(\.name)) == Set(model.tensors.map(\.name)))
    for requirement in file.description.requirements {
      let name = try #require(file.tensors[requirement.address]?.name)
      let expected = try model.view(name), got = try file.view(requirement.address)
      #expect(got.shape == expected.shape && got.type == expected.type)
      func bytes(_ views: [TensorView]) -> [UInt8] {
        withExtendedLifetime(views) { views.flatMap { Array($0.bytes) } }
      }
      #expect(bytes([got]) == bytes([expected]), "\(name)")
      let parts = try file.rows(0..<requirement.shape.dimensions[0], of: requirement.address)
      #expect(bytes(parts) == bytes([expected]), "\(name)")
      // Any rows of it, those inside a head included.
      if requirement.shape.dimensions[0] > 3 {
        let part = try file.rows(1..<3, of: requirement.address)
        let width = expected.bytes.count / requirement.shape.dimensions[0]
        #expect(bytes(part) == Array(bytes([expected])[width..<3 * width]), "\(name)")
      }
    }
  }

  @Test func `a directory without config.json is what its arguments say`() throws {
    for path in ["valid/dense", "valid/dense/iter_0000005"] {
      let file = try ModelFile.open(Self.folder + path)
      #expect(file.architecture.modelType == Qwen2.modelType)
      #expect(file.configuration.object["model_type"]?.string == "qwen2")
      #expect(file.description.vocabularySize == 5 && file.description.headDim == 4)
      #expect(file.form == .megatron(.init(tensor: 2, pipeline: 2)))
    }
  }
}
