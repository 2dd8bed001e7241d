import Foundation
public import TensorTypes

/// A small GGUF file made in code, after the format's specification (version 3).
public struct GGUFWriter {
  private var keys: [UInt8] = []
  private var keyCount = 0
  private var tensors: [(name: String, shape: Shape, type: ScalarType, bytes: [UInt8])] = []

  /// An empty file.
  public init() {}

  /// Adds a text.
  public mutating func set(_ key: String, _ value: String) { add(key, 8, GGUFWriter.text(value)) }

  /// Adds a whole number (u32).
  public mutating func set(_ key: String, _ value: Int) {
    add(key, 4, GGUFWriter.little(UInt32(value)))
  }

  /// Adds a number (f32).
  public mutating func set(_ key: String, _ value: Float) {
    add(key, 6, GGUFWriter.little(value.bitPattern))
  }

  /// Adds a truth value.
  public mutating func set(_ key: String, _ value: Bool) { add(key, 7, [value ? 1 : 0]) }

  /// Adds a list of texts.
  public mutating func set(_ key: String, _ values: [String]) {
    let header = GGUFWriter.little(UInt32(8)) + GGUFWriter.little(UInt64(values.count))
    add(key, 9, header + values.flatMap(GGUFWriter.text))
  }

  /// Adds a list of whole numbers (i32).
  public mutating func set(_ key: String, _ values: [Int]) {
    let header = GGUFWriter.little(UInt32(5)) + GGUFWriter.little(UInt64(values.count))
    add(key, 9, header + values.flatMap { GGUFWriter.little(Int32($0)) })
  }

  /// Adds a float32 tensor.
  public mutating func tensor(_ name: String, _ shape: Shape, _ values: [Float]) {
    tensors.append((name, shape, .float32, values.withUnsafeBytes { Array($0) }))
  }

  /// Adds a Q8_0 tensor; returns the values that it holds after rounding.
  public mutating func quantised(_ name: String, _ shape: Shape, _ values: [Float]) -> [Float] {
    var bytes: [UInt8] = [], rounded: [Float] = []
    for start in stride(from: 0, to: values.count, by: 32) {
      let block = values[start..<start + 32]
      let scale = Float16(block.reduce(0) { max($0, $1.magnitude) } / 127)
      let codes = block.map { Int8(clamping: Int(($0 / Float(scale)).rounded())) }
      bytes += GGUFWriter.little(scale.bitPattern) + codes.map { UInt8(bitPattern: $0) }
      rounded += codes.map { Float($0) * Float(scale) }
    }
    tensors.append((name, shape, .q8_0, bytes))
    return rounded
  }

  /// The bytes of the file.
  public var bytes: [UInt8] {
    var file = Array("GGUF".utf8) + GGUFWriter.little(UInt32(3))
    file += GGUFWriter.little(UInt64(tensors.count)) + GGUFWriter.little(UInt64(keyCount)) + keys
    var offset = 0
    for tensor in tensors {
      file += GGUFWriter.text(tensor.name)
      file += GGUFWriter.little(UInt32(tensor.shape.dimensions.count))
      for dimension in tensor.shape.dimensions.reversed() {
        file += GGUFWriter.little(UInt64(dimension))
      }
      file += GGUFWriter.little(UInt32(tensor.type == .q8_0 ? 8 : 0))
      file += GGUFWriter.little(UInt64(offset))
      offset += GGUFWriter.padded(tensor.bytes.count)
    }
    file += [UInt8](repeating: 0, count: GGUFWriter.padded(file.count) - file.count)
    for tensor in tensors {
      let padding = GGUFWriter.padded(tensor.bytes.count) - tensor.bytes.count
      file += tensor.bytes + [UInt8](repeating: 0, count: padding)
    }
    return file
  }

  private mutating func add(_ key: String, _ type: UInt32, _ value: [UInt8]) {
    keys += GGUFWriter.text(key) + GGUFWriter.little(type) + value
    keyCount += 1
  }

  private static func padded(_ count: Int) -> Int { (count + 31) / 32 * 32 }

  private static func text(_ text: String) -> [UInt8] {
    little(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
