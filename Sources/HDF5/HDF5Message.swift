import TensorTypes

/// Numbers and texts one after the other, as the program and its reader of HDF5 exchange them.
///
/// Whoever receives one does not trust it: every length is compared with what is there.
struct HDF5Message {
  /// What has been put in, or what came.
  private(set) var bytes: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8] = []) { self.bytes = bytes }

  /// What came is no message of this kind.
  struct Malformed: Error {}

  mutating func put(_ number: Int) {
    withUnsafeBytes(of: Int64(number).littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func put(_ text: String) {
    put(text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func put(_ numbers: [Int]) {
    put(numbers.count)
    for number in numbers { put(number) }
  }

  /// The next number.
  mutating func number() throws(Malformed) -> Int {
    guard bytes.count - place >= 8 else { throw Malformed() }
    let value = bytes.withUnsafeBytes {
      $0.loadUnaligned(fromByteOffset: place, as: Int64.self)
    }
    place += 8
    return Int(Int64(littleEndian: value))
  }

  /// The next number, one of 0 to `most`.
  mutating func count(most: Int) throws(Malformed) -> Int {
    let value = try number()
    guard (0...most).contains(value) else { throw Malformed() }
    return value
  }

  /// The next text.
  mutating func text() throws(Malformed) -> String {
    let count = try count(most: bytes.count - place)
    guard count <= bytes.count - place,
      let text = String(validating: bytes[place..<place + count], as: UTF8.self)
    else { throw Malformed() }
    place += count
    return text
  }

  /// The next list of at most `most` numbers, none of them negative.
  mutating func counts(most: Int) throws(Malformed) -> [Int] {
    var numbers: [Int] = []
    for _ in 0..<(try count(most: most)) { numbers.append(try count(most: .max)) }
    return numbers
  }
}

extension HDF5Weights.Tensor {
  func put(into message: inout HDF5Message) {
    message.put(path)
    message.put(type.rawValue)
    message.put(dimensions)
    message.put(offset ?? -1)
  }

  init(from message: inout HDF5Message) throws(HDF5Message.Malformed) {
    let path = try message.text()
    guard let type = ScalarType(rawValue: try message.text()) else { throw .init() }
    let dimensions = try message.counts(most: HDF5Weights.mostDimensions)
    let offset = try message.number()
    guard let bytes = Shape(dimensions).byteCount(type), bytes < 1 << 60 else { throw .init() }
    self.init(
      path: path, type: type, dimensions: dimensions, byteCount: bytes,
      offset: offset < 0 ? nil : offset)
  }
}
