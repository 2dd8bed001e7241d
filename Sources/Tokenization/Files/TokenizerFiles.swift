import Foundation
public import StrictJSON

/// The files of a tokenizer and of generation, wherever they are.
public enum TokenizerFiles: Sendable {
  case directory(String)
  /// Names and bytes, all in another file.
  case embedded([(name: String, bytes: [UInt8])], file: String)

  /// Files of tokenizers in forms that are not read.
  private static let foreign = ["spiece.model", "sentencepiece.bpe.model", "tiktoken.model"]

  /// The directory, or the file that holds them.
  public var path: String {
    switch self {
    case .directory(let path), .embedded(_, let path): path
    }
  }

  /// Where `name` is, or would be, as errors name it.
  public func path(of name: String) -> String {
    switch self {
    case .directory(let directory):
      URL(fileURLWithPath: directory, isDirectory: true).appendingPathComponent(name).path
    case .embedded(_, let file): "\(file), embedded \(name)"
    }
  }

  /// Whether there is a file `name`.
  public func contains(_ name: String) -> Bool {
    switch self {
    case .directory: FileManager.default.fileExists(atPath: path(of: name))
    case .embedded(let files, _): files.contains { $0.name == name }
    }
  }

  /// Those that hold a tokenizer in a form that is not read.
  public var foreign: [String] { Self.foreign.filter(contains) }

  /// The bytes of `name`; nil if there is no such file.
  public func bytes(_ name: String) throws(TokenizationError) -> [UInt8]? {
    if case .embedded(let files, _) = self { return files.first { $0.name == name }?.bytes }
    let path = path(of: name)
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else {
      return nil
    }
    let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
    guard size <= TokenizationLimits.fileBytes else {
      throw .tooLarge(name, size, limit: TokenizationLimits.fileBytes)
    }
    do {
      return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw .unreadable(file: path, reason: "\(error)")
    }
  }

  /// The JSON document `name`; nil if there is no such file.
  public func json(_ name: String) throws(TokenizationError) -> JSONValue? {
    guard let bytes = try bytes(name) else { return nil }
    do {
      return try JSONParser.parse(bytes, limit: .tokenizer)
    } catch {
      throw .malformed(file: path(of: name), reason: error.what)
    }
  }
}
