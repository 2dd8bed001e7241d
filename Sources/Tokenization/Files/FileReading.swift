import Foundation
import StrictJSON

/// The contents of a file; nil if there is none of this name.
func readFile(_ folder: URL, _ name: String) throws(TokenizationError) -> Data? {
  let url = folder.appendingPathComponent(name)
  guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path) else {
    return nil
  }
  let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
  guard size <= TokenizationLimits.fileBytes else {
    throw .tooLarge(name, size, limit: TokenizationLimits.fileBytes)
  }
  do {
    return try Data(contentsOf: url)
  } catch {
    throw .unreadable(file: url.path, reason: "\(error)")
  }
}

/// The JSON document in a file; nil if there is none of this name.
func readJSON(_ folder: URL, _ name: String) throws(TokenizationError) -> JSONValue? {
  guard let data = try readFile(folder, name) else { return nil }
  do {
    return try JSONParser.parse(data, limit: .tokenizer)
  } catch {
    throw .malformedJSON(
      file: folder.appendingPathComponent(name).path, reason: error.what)
  }
}
