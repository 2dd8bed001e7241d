import Foundations
import InputFiles
import StrictJSON

/// The documents that a task's questions are made of: JSON objects, one in a line.
struct TaskDocuments {
  /// The file.
  let file: String
  /// The documents that are used, with the numbers of their lines.
  private(set) var used: [(line: Int, document: JSONObject)] = []
  /// How many the file holds.
  private(set) var count = 0
  /// What members the used ones have.
  private(set) var names: Set<String> = []

  /// Longer files are refused: documents take many times their size in memory.
  static let mostBytes = 1 << 28

  /// Reads the file at `path` and keeps the first `limit` documents; nil for all.
  init(path: String, limit: Int?) throws {
    file = path
    let text = try InputFile.readText(path, limit: Self.mostBytes, kind: .regular)
    for (index, line) in text.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated()
    where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) {
      count += 1
      if let limit, used.count >= limit { continue }
      used.append((index + 1, try Self.document(line, place: "\(path):\(index + 1)")))
    }
    guard count > 0 else { throw TaskFileError.noDocuments(file: path) }
    names = Set(used.flatMap(\.document.keys))
  }

  private static func document(
    _ line: ArraySlice<UInt8>, place: String
  ) throws(TaskFileError) -> JSONObject {
    let value: JSONValue
    do {
      value = try JSONParser.parse(line)
    } catch {
      throw .notJSON(reason: error.what, place: place)
    }
    guard let object = value.object else {
      throw .notJSON(reason: "a document must be a JSON object", place: place)
    }
    return object
  }
}

/// What is wrong with a task's documents, or with what a task makes of them.
enum TaskFileError: ReportableError, Equatable {
  case noDocuments(file: String)
  case notJSON(reason: String, place: String)
  /// A document lacks what a key of the task names.
  case noField(String, key: String, known: [String], place: String)
  case wrongField(key: String, got: String, expected: String, place: String)
  case sameName(String, files: [String])

  var what: String {
    switch self {
    case .noDocuments: "holds no documents: expected JSON objects, one in a line"
    case .notJSON(let reason, _): reason
    case .noField(let name, let key, let known, _):
      "\"\(key)\" is \"\(name)\", which is no template and no field of this document"
        + (NearestName.of(name, among: known).map { "; did you mean \"\($0)\"?" }
          ?? "; fields: \(known.joined(separator: ", "))")
    case .wrongField(let key, let got, let expected, _):
      "\"\(key)\" gives \(got), expected \(expected)"
    case .sameName(let name, let files):
      "two tasks are called \"\(name)\": \(files.joined(separator: " and "))"
    }
  }

  var location: String? {
    switch self {
    case .noDocuments(let file): file
    case .notJSON(_, let place), .noField(_, _, _, let place), .wrongField(_, _, _, let place):
      place
    case .sameName: nil
    }
  }
}
