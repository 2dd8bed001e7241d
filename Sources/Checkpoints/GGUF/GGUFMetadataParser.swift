/// Reads the key-value section of a GGUF file within stated limits.
struct GGUFMetadataParser {
  /// More keys than any writer produces (known files have fewer than a hundred).
  static let keyCountLimit = 65_536
  /// The limit of the specification.
  static let keyLengthLimit = 65_535
  /// Longer than any tokenizer.json; a hostile length cannot make us allocate more.
  static let stringLengthLimit = 1 << 26
  /// Array elements of the whole file: three times the largest known vocabulary with its merges,
  /// scores and types. It bounds memory, since a one-byte element takes 24 bytes when read.
  static let elementLimit = 1 << 22
  /// Levels of arrays in arrays; no known file uses more than one.
  static let depthLimit = 4

  private var elementsLeft = GGUFMetadataParser.elementLimit

  /// Reads `count` key-value pairs at `cursor`.
  static func parse(
    count: UInt64, at cursor: inout GGUFCursor
  ) throws(CheckpointError) -> GGUFMetadata {
    guard count <= UInt64(keyCountLimit) else {
      throw .limitExceeded(
        file: cursor.file, quantity: "metadata key count", limit: keyCountLimit, got: count)
    }
    var parser = GGUFMetadataParser()
    var metadata = GGUFMetadata()
    for number in 0..<count {
      let offset = cursor.offset
      let key = try cursor.string("metadata key \(number)", limit: keyLengthLimit)
      let type = try cursor.integer("type of metadata key \(key)", as: UInt32.self)
      let value = try parser.value(type, key: key, depth: 0, at: &cursor)
      guard metadata.insert(key, value) else {
        throw .ggufValue(
          file: cursor.file, key: key, offset: offset, reason: "the key appears twice")
      }
    }
    return metadata
  }

  private mutating func value(
    _ type: UInt32, key: String, depth: Int, at cursor: inout GGUFCursor
  ) throws(CheckpointError) -> GGUFValue {
    let part = "metadata \(key)"
    switch type {
    case 0: return .unsigned(UInt64(try cursor.integer(part, as: UInt8.self)))
    case 1: return .signed(Int64(try cursor.integer(part, as: Int8.self)))
    case 2: return .unsigned(UInt64(try cursor.integer(part, as: UInt16.self)))
    case 3: return .signed(Int64(try cursor.integer(part, as: Int16.self)))
    case 4: return .unsigned(UInt64(try cursor.integer(part, as: UInt32.self)))
    case 5: return .signed(Int64(try cursor.integer(part, as: Int32.self)))
    case 6: return .float(Float(bitPattern: try cursor.integer(part)))
    case 7: return .bool(try bool(key: key, at: &cursor))
    case 8: return .string(try cursor.string(part, limit: GGUFMetadataParser.stringLengthLimit))
    case 9: return .array(try array(key: key, depth: depth + 1, at: &cursor))
    case 10: return .unsigned(try cursor.integer(part))
    case 11: return .signed(try cursor.integer(part))
    case 12: return .double(Double(bitPattern: try cursor.integer(part)))
    default:
      throw .ggufValue(
        file: cursor.file, key: key, offset: cursor.offset, reason: "unknown value type \(type)")
    }
  }

  private func bool(key: String, at cursor: inout GGUFCursor) throws(CheckpointError) -> Bool {
    let offset = cursor.offset
    switch try cursor.integer("metadata \(key)", as: UInt8.self) {
    case 0: return false
    case 1: return true
    case let byte:
      throw .ggufValue(
        file: cursor.file, key: key, offset: offset, reason: "a boolean is 0 or 1, got \(byte)")
    }
  }

  private mutating func array(
    key: String, depth: Int, at cursor: inout GGUFCursor
  ) throws(CheckpointError) -> [GGUFValue] {
    guard depth <= GGUFMetadataParser.depthLimit else {
      throw .ggufValue(
        file: cursor.file, key: key, offset: cursor.offset,
        reason: "arrays are nested deeper than \(GGUFMetadataParser.depthLimit) levels")
    }
    let type = try cursor.integer("element type of metadata \(key)", as: UInt32.self)
    let count = try cursor.integer("element count of metadata \(key)", as: UInt64.self)
    guard count <= UInt64(elementsLeft) else {
      throw .limitExceeded(
        file: cursor.file, quantity: "number of metadata array elements (at key \(key))",
        limit: GGUFMetadataParser.elementLimit,
        got: UInt64(GGUFMetadataParser.elementLimit - elementsLeft).addingSaturating(count))
    }
    // Every element takes at least this much, so a count beyond the file is caught before the
    // array is allocated.
    let elementBytes = GGUFMetadataParser.minimumBytes[type] ?? 1
    guard Int(count) * elementBytes <= cursor.remaining else {
      throw .truncated(
        file: cursor.file, part: "metadata \(key)",
        expected: cursor.offset + Int(count) * elementBytes, got: cursor.bytes.count)
    }
    elementsLeft -= Int(count)
    var elements: [GGUFValue] = []
    elements.reserveCapacity(Int(count))
    for _ in 0..<count {
      elements.append(try value(type, key: key, depth: depth, at: &cursor))
    }
    return elements
  }

  /// The least number of bytes that a value of each type takes.
  private static let minimumBytes: [UInt32: Int] = [
    0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 8: 8, 9: 12, 10: 8, 11: 8, 12: 8,
  ]
}

extension UInt64 {
  fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
