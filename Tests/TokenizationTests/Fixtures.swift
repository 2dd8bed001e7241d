import Foundation
import StrictJSON
import Testing

@testable import Tokenization

/// Files of Tests/Fixtures/tokenizers, which Tests/Reference/tokenizers/make_fixtures.py writes.
enum Fixtures {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func json(_ name: String) throws -> JSONValue {
    let folder = root.appendingPathComponent("Tests/Fixtures/tokenizers").path
    return try #require(try TokenizerFiles.directory(folder).json(name), "no fixture \(name)")
  }

  static func document(_ kind: String) throws -> JSONValue { try json("\(kind).tokenizer.json") }

  static func tokenizer(_ kind: String) throws -> Tokenizer {
    if kind == "tiny-qwen2" {
      return try .load(.directory(root.appendingPathComponent("demo/tiny-qwen2").path))
    }
    return try Tokenizer(tokenizerJSON: document(kind))
  }

  static func golden(_ kind: String) throws -> [Golden] {
    let cases = try #require(try json("\(kind).golden.json").array)
    return try cases.map(Golden.init)
  }

  /// A tokenizer document with some members replaced.
  static func document(_ kind: String, with members: [(String, JSONValue)]) throws -> JSONValue {
    var object = try #require(try document(kind).object)
    for (key, value) in members { object[key] = value }
    return .object(object)
  }
}

/// A text and what the reference library makes of it.
struct Golden {
  var name: String
  var bytes: [UInt8]
  var ids: [Int]
  /// The ids without special tokens around the text.
  var plain: [Int]
  var decoded: String?
  /// The decoded text without special tokens.
  var skipped: String?

  init(_ json: JSONValue) throws {
    name = try #require(json["name"]?.string)
    let digits = try #require(json["hex"]?.string).compactMap { $0.hexDigitValue }
    bytes = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
    ids = try #require(json["ids"]?.array).compactMap(\.int)
    plain = try #require(json["plain"]?.array).compactMap(\.int)
    decoded = json["decoded"]?.string
    skipped = json["skipped"]?.string
  }
}
