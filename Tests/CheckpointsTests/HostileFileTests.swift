import Checkpoints
import Foundation
import Foundations
import Testing

/// Every file below `formats/*/hostile` must be refused with the words that `EXPECTED.txt` beside
/// it states; the files' names say what is wrong with them.
@Suite struct HostileFileTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    var format: String
    var name: String
    var expected: String?
    var testDescription: String { "\(format): \(name)" }
    var path: String { formatsPath("\(format)/hostile/\(name)") }
  }

  @Test(arguments: vectors("safetensors"))
  func safetensors(_ vector: Vector) throws {
    expect(vector) { _ = try SafetensorsFile(path: vector.path) }
  }

  @Test(arguments: vectors("gguf"))
  func gguf(_ vector: Vector) throws {
    expect(vector) { _ = try GGUFFile(path: vector.path) }
  }

  @Test(arguments: vectors("pytorch"))
  func pyTorch(_ vector: Vector) throws {
    expect(vector) {
      let file = try PyTorchFile(path: vector.path)
      for tensor in file.tensors { _ = try file.view(tensor.name) }
    }
  }

  /// The library's own words, which end some of these errors, depend on its version.
  @Test(arguments: vectors("hdf5"))
  func hdf5(_ vector: Vector) throws {
    let error = checkpointError {
      let file = try HDF5File(path: vector.path)
      for tensor in file.tensors { _ = try file.view(tensor.name) }
    }
    let expected = try #require(vector.expected)
    #expect(error?.what.hasPrefix(expected) == true, "\(error?.what ?? "nothing")")
    #expect(error?.exitCode == 2 && error?.location == vector.path)
  }

  @Test(arguments: vectors("manifest"))
  func manifest(_ vector: Vector) throws {
    expect(vector) { _ = try Manifest(path: vector.path) }
  }

  private func expect(_ vector: Vector, _ read: () throws -> Void) {
    let error = checkpointError(read)
    #expect(error?.what == vector.expected)
    #expect(error?.exitCode == 2)
    if let location = error?.location { #expect(location == vector.path) }
  }

  /// The files of a hostile folder with the lines `name: expected words` of its EXPECTED.txt.
  static func vectors(_ format: String) -> [Vector] {
    let folder = formatsPath("\(format)/hostile")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let lines = (try? String(contentsOfFile: folder + "/EXPECTED.txt", encoding: .utf8)) ?? ""
    var expected: [String: String] = [:]
    for line in lines.split(separator: "\n") {
      guard let colon = line.range(of: ": ") else { continue }
      expected[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
    }
    return names.filter { $0 != "EXPECTED.txt" }.sorted().map {
      Vector(format: format, name: $0, expected: expected[$0])
    }
  }
}
