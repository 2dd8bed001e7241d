import Checkpoints
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// Streams of bytes that transforms produce.
struct TransformTests {
  private func bytes(_ transform: some TensorTransform, block: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try transform.produce(block: block) { bytes += $0 }
    return bytes
  }

  private func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private let values = (0..<8 * 5).map { Float($0) * 1.001 - 11 }

  @Test(arguments: [1, 3, 20, 64, 1 << 20])
  func `the size of a block does not change what is produced`(_ block: Int) throws {
    let view = MemoryStorage.view(values, shape: [8, 5])
    let permuted = TensorView(
      bytes: view.bytes, type: .float32, shape: [8, 5], rowOrder: .interleavedRotary(headDim: 4),
      storage: view.storage)
    for transform: any TensorTransform in [
      CopyTransform(view, named: "a", as: .float32), CopyTransform(view, named: "a", as: .bfloat16),
      CopyTransform(view, named: "a", as: .float16),
      CopyTransform(permuted, named: "a", as: .float32),
      ConstantTransform(1.5, shape: [8, 5], as: .bfloat16), HoleTransform(byteCount: 160),
      UniformTransform(bound: 1, seed: 3, label: "a", shape: [8, 5], as: .float16),
      NeuronTransform(
        view, named: "a", neurons: [6, 0, 3], along: .rows, of: .routed(0), as: .bfloat16),
      NeuronTransform(
        view, named: "a", neurons: [4, 1], along: .columns, of: .routed(0), as: .float32),
    ] {
      #expect(try bytes(transform, block: block) == bytes(transform, block: 1 << 22))
    }
  }

  @Test func `a copy is byte for byte`() throws {
    let view = MemoryStorage.view(values, shape: [8, 5])
    let copy = CopyTransform(view, named: "a", as: .float32)
    #expect(floats(try bytes(copy, block: 64)) == values)
    #expect(copy.record == TransformRecord(.copy))
    #expect(copy.sources == ["a"])
  }

  @Test func `neurons are rows or columns as they are`() throws {
    let view = MemoryStorage.view(values, shape: [8, 5])
    func neurons(
      _ view: TensorView, _ neurons: [Int], _ axis: NeuronTransform.Axis,
      _ type: ScalarType = .float32
    ) -> NeuronTransform {
      NeuronTransform(view, named: "a", neurons: neurons, along: axis, of: .routed(3), as: type)
    }
    let rows = neurons(view, [7, 2], .rows)
    #expect(floats(try bytes(rows, block: 8)) == Array(values[35..<40] + values[10..<15]))
    #expect(rows.record.keepsValues && rows.record["expert"] == 3 && rows.sources == ["a"])
    #expect(rows.record != neurons(view, [2, 7], .rows).record)
    let columns = neurons(view, [4, 0, 1], .columns)
    let expected = (0..<8).flatMap { row in [4, 0, 1].map { values[row * 5 + $0] } }
    #expect(floats(try bytes(columns, block: 24)) == expected)
    let bias = neurons(MemoryStorage.view(values, shape: [40]), [39, 3], .columns)
    #expect(floats(try bytes(bias, block: 1)) == [values[39], values[3]])
    let cast = neurons(view, [4, 0, 1], .columns, .bfloat16)
    #expect(!cast.record.keepsValues && cast.record.castTypes == [.float32])
    #expect(try bytes(cast, block: 1 << 20).count == 8 * 3 * 2)
    let large = MemoryStorage.view([1, 1e6], shape: [1, 2])
    #expect(throws: ConversionError.self) {
      try bytes(neurons(large, [1], .columns, .float16), block: 64)
    }
  }

  @Test(arguments: [1, 16, 1 << 20])
  func `rows that lie interleaved are put in order`(_ block: Int) throws {
    // Two heads of four channels: logical rows 0 1 2 3 lie at 0 2 1 3.
    let stored: [Float] = [0, 2, 1, 3, 4, 6, 5, 7].flatMap { [Float($0), Float($0) + 0.5] }
    let base = MemoryStorage.view(stored, shape: [8, 2])
    let view = TensorView(
      bytes: base.bytes, type: .float32, shape: [8, 2], rowOrder: .interleavedRotary(headDim: 4),
      storage: base.storage)
    let expected = (0..<8).flatMap { [Float($0), Float($0) + 0.5] }
    let copy = CopyTransform(view, named: "q", as: .float32)
    #expect(floats(try bytes(copy, block: block)) == expected)
    #expect(copy.record.text == "copy rotary pairs de-interleaved, head size 4")
    let cast = try bytes(CopyTransform(view, named: "q", as: .bfloat16), block: block)
    let halves = cast.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(halves.map { Float(bitPattern: UInt32($0) << 16) } == expected)
  }

  @Test func `float16 refuses what it cannot hold, with the tensor's name`() throws {
    var large = values
    large[17] = -70_000
    let view = MemoryStorage.view(large, shape: [8, 5])
    #expect(
      throws: ConversionError.overflow(
        tensor: "big", value: -70_000, type: .float16, index: "[3, 2]")
    ) {
      try bytes(CopyTransform(view, named: "big", as: .float16), block: 16)
    }
    #expect(throws: Never.self) {
      try bytes(CopyTransform(view, named: "big", as: .bfloat16), block: 16)
    }
    let least = MemoryStorage.view([1, 65_520], shape: [2])
    #expect(
      throws: ConversionError.overflow(tensor: "b", value: 65_520, type: .float16, index: "[0, 1]")
    ) {
      try bytes(CopyTransform(least, named: "b", as: .float16), block: 16)
    }
  }

  @Test func `float16 takes everything that rounds to a finite number`() throws {
    let view = MemoryStorage.view([65_519.9, -65_504, 0, 1e-9], shape: [4])
    let cast = try bytes(CopyTransform(view, named: "a", as: .float16), block: 1 << 10)
    let halves = cast.withUnsafeBytes { Array($0.bindMemory(to: Float16.self)) }
    #expect(halves == [65_504, -65_504, 0, 0])
  }

  @Test func `random values depend on seed and label alone`() throws {
    func uniform(_ seed: UInt64, _ label: String) throws -> [Float] {
      floats(
        try bytes(
          UniformTransform(
            bound: 0.5, seed: seed, label: label, shape: [100], as: .float32, offset: 1),
          block: 1 << 20))
    }
    let first = try uniform(1, "a")
    #expect(try uniform(1, "a") == first)
    #expect(try uniform(2, "a") != first)
    #expect(try uniform(1, "b") != first)
    #expect(first.allSatisfy { $0 >= 0.5 && $0 <= 1.5 })
  }

  @Test func `a record has every parameter that decides bytes`() {
    let shape: Shape = [8, 5], view = MemoryStorage.view(values, shape: shape)
    func uniform(_ bound: Double, _ seed: UInt64, _ label: String, _ offset: Float)
      -> UniformTransform
    {
      .init(bound: bound, seed: seed, label: label, shape: shape, as: .float32, offset: offset)
    }
    func scaled(_ view: TensorView, _ factor: Float, _ rows: Int, _ columns: Int) -> ScaledTransform
    {
      .init(
        view, named: "a", by: factor, rowRepeats: rows, columnRepeats: columns, as: .float32)
    }
    func sinks(_ token: Int, _ count: Int, _ noise: Double, _ seed: UInt64) -> SinkTransform {
      .init(
        view, named: "a", token: token, count: count, noise: noise, seed: seed, as: .float32)
    }
    let grid = ScaleGrid(
      scales: MemoryStorage.view([Float](repeating: 1, count: 8), shape: [8, 1]), groupSize: 5)
    let transforms: [any TensorTransform] =
      [
        uniform(1, 2, "a", 0), uniform(2, 2, "a", 0), uniform(1, 3, "a", 0), uniform(1, 2, "b", 0),
        uniform(1, 2, "a", 1), scaled(view, 1, 1, 1), scaled(view, 2, 1, 1), scaled(view, 1, 2, 1),
        scaled(view, 1, 1, 2), scaled(view.rounded(to: .bfloat16), 1, 1, 1),
        CopyTransform(view, named: "a", as: .float32),
        CopyTransform(view.rounded(to: grid), named: "a", as: .float32),
        CopyTransform(view, named: "a", as: .bfloat16), sinks(1, 2, 3, 4), sinks(2, 2, 3, 4),
        sinks(1, 3, 3, 4), sinks(1, 2, 4, 4), sinks(1, 2, 3, 5),
        ConstantTransform(1, shape: shape, as: .float32),
        ConstantTransform(2, shape: shape, as: .float32), ValuesTransform([1, 2], as: .float32),
        ValuesTransform([2, 1], as: .float32), HoleTransform(byteCount: 160),
      ] + Computation.allCases.map { ReplacementTransform(view, as: .float32, by: $0) }
    #expect(Set(transforms.map(\.record)).count == transforms.count)
    // What a manifest holds of them is read back as it was.
    for record in transforms.map(\.record) { #expect(TransformRecord(json: record.json) == record) }
  }

  @Test func `an empty tensor produces nothing`() throws {
    #expect(try bytes(ConstantTransform(1, shape: [0, 3], as: .float32), block: 64) == [])
    #expect(try bytes(HoleTransform(byteCount: 0), block: 64) == [])
  }
}
