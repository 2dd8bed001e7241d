import Architectures
import Checkpoints
import Foundation
import Foundations
import Kernels
import Mixers
import ModelFiles
import TensorTypes
import TestSupport
import Testing

/// Directories of foreign quantised forms: below `formats/*/hostile` each is refused with the words
/// that `EXPECTED.txt` states.
struct QuantizedReaderTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    var path: String
    var expected: String
    var testDescription: String { path.split(separator: "/").suffix(3).joined(separator: "/") }
  }

  private static func format(_ name: String) -> String { Repository.root + "/formats/" + name }

  static func vectors(_ format: String) -> [Vector] {
    let folder = Self.format(format) + "/hostile/"
    let lines = (try? Files.text(folder + "EXPECTED.txt")) ?? ""
    return lines.split(separator: "\n").compactMap { line in
      line.range(of: ": ").map {
        Vector(path: folder + line[..<$0.lowerBound], expected: String(line[$0.upperBound...]))
      }
    }
  }

  @Test(arguments: vectors("w8aspike") + vectors("compressed-tensors"))
  func `malformed directories are refused`(_ vector: Vector) throws {
    do {
      try ModelFile.open(vector.path).requireSound()
      Issue.record("was accepted")
    } catch let error as any ReportableError {
      let what = error.what.replacing(vector.path + "/model.safetensors", with: "FILE")
      #expect(what.hasPrefix(vector.expected), "\(what)")
      #expect(error.location?.hasPrefix(vector.path) == true)
    }
  }

  @Test func `every hostile directory is listed`() throws {
    for format in ["w8aspike", "compressed-tensors"] {
      let folder = Self.format(format) + "/hostile"
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(names.count == Self.vectors(format).count + 1)
      #expect(names.count > 4)
    }
  }

  @Test func `W8ASpike weights are rounded when they are decoded, and not clamped`() throws {
    let file = try ModelFile.open(Self.format("w8aspike") + "/valid/by-row")
    try file.requireSound()
    #expect(file.form == .w8aspike)
    #expect(file.description.spiking?.layers[0].thresholds[.query] == 2.5)
    #expect(file.description.spiking?.layers[1].thresholds[.rotatedQuery] == 3)
    #expect(file.description.spiking?.layers[0].thresholds[.ffnDown] == nil)
    #expect(file.description.layers[0].mixer == .gatedLinear(.merged))
    var beyond = 0
    for role in [TensorAddress.Role.query, .ffnUp, .ffnDown] {
      let address = TensorAddress(role, layer: 1)
      let name = try #require(file.tensors[address]?.name)
      let view = try file.view(address), stored = try file.stored.view(name)
      let scales = try file.stored.view(name + "_quantizer.scales")
      #expect((view.grid == nil) == (role == .ffnDown))
      for row in 0..<view.rows {
        let scale = scales.row(row).loadUnaligned(as: Float.self)
        for column in 0..<view.columns {
          let weight = bfloat16(stored.row(row), column)
          let code = (weight / scale).rounded(.toNearestOrEven)
          if code.magnitude > 127 { beyond += 1 }
        }
      }
    }
    #expect(beyond > 10)
    #expect(file.reader.formatName.hasSuffix("W8ASpike"))
    #expect(file.reader.tensors.allSatisfy { !$0.name.contains("quantizer") })
  }

  private func bfloat16(_ row: UnsafeRawBufferPointer, _ column: Int) -> Float {
    let half = row.loadUnaligned(fromByteOffset: 2 * column, as: UInt16.self)
    return Float(bitPattern: UInt32(half) << 16)
  }

  @Test(arguments: [
    ("int-quantized", WeightQuantization(.int8, .channel)),
    ("pack-quantized", WeightQuantization(.int8, .group(32))),
    ("pack-quantized-4", WeightQuantization(.int4, .group(32))),
  ])
  func `compressed-tensors' own files are read`(
    _ name: String, _ quantization: WeightQuantization
  ) throws {
    let path = Self.format("compressed-tensors") + "/valid/\(name)"
    let file = try ModelFile.open(path)
    try file.requireSound()
    #expect(file.description.quantization == quantization)
    // `decompressed.safetensors` holds what the library makes of the same files.
    let expected = try SafetensorsFile(path: path + ".decompressed.safetensors")
    #expect(expected.tensors.count == 14)
    for requirement in file.description.requirements
    where requirement.type == quantization.codes.type {
      var address = requirement.address
      let codes = try file.view(address)
      address.parameter = .scale
      let scales = try file.view(address)
      let name = try #require(file.tensors[requirement.address]?.name)
      let weight = QuantizedWeight(
        codes: codes,
        scales: (0..<scales.bytes.count / 4).map {
          scales.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }, quantization)
      let values = try expected.view(name)
      let decoded = weight.decoded(rows: 0..<weight.rows)
      withExtendedLifetime(decoded) {
        for (index, product) in decoded.elements.enumerated() {
          #expect(product == values.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
        }
      }
    }
  }
}
