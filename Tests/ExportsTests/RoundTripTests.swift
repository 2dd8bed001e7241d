import Architectures
import Checkpoints
import Conversion
import Kernels
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// Codes that leave come back: every INT8 profile, written and read again.
struct RoundTripTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A 7B-layout model with its projections as integers, in directory `q`.
  private func quantised(
    _ granularity: ScaleGranularity, codes: WeightCodes = .int8
  ) throws -> ModelFile {
    try TinyModel.synthesize(TinyModel.configuration("w8aspike"), to: directory("m"))
    try TinyModel.quantise(directory("m"), to: directory("q"), granularity, codes: codes)
    return try ModelFile.open(directory("q"))
  }

  /// Codes and scales of every projection, a scale for each code.
  private func projections(
    of file: ModelFile
  ) throws -> [TensorAddress: (codes: [Int32], scales: [Float])] {
    var found: [TensorAddress: (codes: [Int32], scales: [Float])] = [:]
    for requirement in file.description.requirements
    where ModelDescription.quantizedRoles.contains(requirement.address.role)
      && requirement.address.parameter == .weight
    {
      let address = requirement.address
      var scale = address
      scale.parameter = .scale
      let name = try #require(file.tensors[address]?.name)
      let isFloat = file.form == .w8aspike
      let weight = isFloat ? try file.stored.view(name) : try file.view(address)
      let scales =
        isFloat ? try file.stored.view(name + W8ASpike.scaleSuffix) : try file.view(scale)
      let columns = weight.columns * (weight.type == .uint8 ? 2 : 1)
      let each = scales.bytes.count / 4 / weight.rows
      func number(_ view: TensorView, _ index: Int) -> Float {
        view.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      }
      let spread = (0..<weight.rows * columns).map {
        number(scales, $0 / columns * each + $0 % columns * each / columns)
      }
      found[address] = (
        spread.indices.map { index in
          isFloat
            ? Int32((number(weight, index) / spread[index]).rounded(.toNearestOrEven))
            : weight.type == .int8
              ? Int32(Int8(bitPattern: weight.bytes[index]))
              : Int32(index % 2 == 0 ? weight.bytes[index / 2] & 15 : weight.bytes[index / 2] >> 4)
                - 8
        }, spread
      )
    }
    return found
  }

  private func expectCodes(
    _ profile: String, of granularity: ScaleGranularity, codes: WeightCodes = .int8
  ) throws {
    let before = try projections(of: quantised(granularity, codes: codes))
    try TinyModel.export(directory("q"), to: directory("x"), profile: profile)
    let file = try ModelFile.open(directory("x"))
    try file.requireSound()
    let after = try projections(of: file)
    #expect(after.count == before.count && before.count == 21)
    for (address, original) in before {
      let got = try #require(after[address])
      #expect(got.codes == original.codes, "\(address)")
      #expect(got.scales == original.scales, "\(address)")
    }
  }

  @Test(arguments: [ScaleGranularity.group(128), .group(256), .channel])
  func `w8aspike, exactly`(_ granularity: ScaleGranularity) throws {
    try expectCodes("w8aspike", of: granularity)
    // Once more from the exported directory: byte for byte.
    try TinyModel.export(directory("x"), to: directory("y"), profile: "w8aspike")
    #expect(
      try Files.bytes(directory("x/model.safetensors"))
        == Files.bytes(directory("y/model.safetensors")))
  }

  @Test func `w8a8, exactly`() throws { try expectCodes("w8a8", of: .channel) }

  @Test(arguments: [ScaleGranularity.group(128), .channel])
  func `w8a16-g128, exactly`(_ granularity: ScaleGranularity) throws {
    try expectCodes("w8a16-g128", of: granularity)
  }

  /// Codes of 4 bits are ones of 8 as well, and their scales need no more than 16 bits.
  @Test(arguments: ["w4a16-g128", "w8a16-g128"], [ScaleGranularity.group(128), .channel])
  func `codes of 4 bits, exactly`(_ profile: String, _ granularity: ScaleGranularity) throws {
    try expectCodes(profile, of: granularity, codes: .int4)
    let file = try ModelFile.open(directory("x"))
    let codes = WeightCodes(rawValue: profile.hasPrefix("w4") ? "int4" : "int8") ?? .int8
    #expect(file.description.quantization == WeightQuantization(codes, .group(128)))
  }

  @Test func `codes and scales that do not fit are refused`() throws {
    let file = try quantised(.group(64))
    for (profile, needed) in [
      ("w8aspike", WeightQuantization(.int8, .group(128))),
      ("w8a16-g128", WeightQuantization(.int8, .group(128))),
      ("w4a16-g128", WeightQuantization(.int4, .group(128))),
      ("w8a8", WeightQuantization(.int8, .channel)),
    ] {
      #expect(
        throws: ExportError.granularity(
          profile: profile, found: "INT8, group 64", needed: needed, path: file.path)
      ) { try ExportProfiles.plan(file, settings: ExportSettings(profile: profile)) }
    }
  }

  @Test func `down_proj is written as its codes' multiples, a merged gate is the product`() throws {
    let source = try quantised(.group(128))
    try TinyModel.export(directory("q"), to: directory("x"), profile: "w8aspike")
    let file = try ModelFile.open(directory("x"))
    let down = TensorAddress(.ffnDown, layer: 2)
    var scale = down
    scale.parameter = .scale
    let codes = try source.view(down), scales = try source.view(scale), got = try file.view(down)
    for index in stride(from: 0, to: codes.bytes.count, by: 97) {
      let value =
        Float(Int8(bitPattern: codes.bytes[index]))
        * scales.bytes.loadUnaligned(fromByteOffset: index / 128 * 4, as: Float.self)
      #expect(got.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self) == value)
    }
    func values(_ file: ModelFile, _ role: TensorAddress.Role) throws -> [Float] {
      let name = try #require(file.tensors[TensorAddress(role, layer: 0)]?.name)
      return try CheckpointEdit(file.path).floats(name)
    }
    let high = try values(source, .gateHigh), low = try values(source, .gateLow)
    let merged = try values(file, .gateMerged)
    for (row, column) in [(0, 0), (63, 127), (17, 40)] {
      let sum = (0..<16).reduce(0.0) {
        $0 + Double(high[row * 16 + $1]) * Double(low[$1 * 128 + column])
      }
      #expect(merged[row * 128 + column] == Float(sum))
    }
  }

  @Test func `weights in floating point are rounded so that the largest fits`() throws {
    let values: [Float] = (0..<256).map { Float($0 - 100) / 7 }
    let rows = try #require(
      QuantizedRows(
        .rounded(.stored(MemoryStorage.view(values, shape: [2, 128]), name: "w")),
        WeightQuantization(.int8, .group(128)), scaleType: .bfloat16, name: "w"))
    let (codes, scales) = try rows.block(0..<2)
    let plain: [Float] = [values[0].magnitude / 127, values[255] / 127]
    #expect(scales == plain.map { ScalarType.bfloat16.rounded($0) })
    for index in 0..<256 {
      let value = Float(codes[index]) * scales[index / 128]
      let error = (value - values[index]).magnitude
      #expect(error <= scales[index / 128] * 0.7)
    }
    let bad = try #require(
      QuantizedRows(
        .rounded(.stored(MemoryStorage.view([1, .nan], shape: [1, 2]), name: "w")),
        WeightQuantization(.int8, .channel), name: "w"))
    #expect(throws: ExportError.notFinite(tensor: "w")) { try bad.block(0..<1) }
    let small = try #require(
      QuantizedRows(
        .rounded(.stored(MemoryStorage.view([1e-7, 0], shape: [1, 2]), name: "w")),
        WeightQuantization(.int8, .channel), scaleType: .float16, name: "w"))
    #expect(throws: ExportError.self) { try small.block(0..<1) }
  }
}
