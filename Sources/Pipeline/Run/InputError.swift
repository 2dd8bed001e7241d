import Foundation
public import Foundations
import InputFiles
import StrictJSON

/// What is wrong with something the user typed or piped in.
public enum InputError: ReportableError {
  case notIDs(reason: String)
  case list(String, option: String)
  case textTooShort(file: String, tokens: Int, needed: Int)
  case onlySpecial(file: String)
  case vocabularies(model: Int, teacher: Int)
  case option(String, value: String, expected: String)
  case argument(String)
  /// A checkpoint that would learn from itself.
  case ownTeacher(path: String)
  /// More time is needed than `heal` may spend.
  case timeLimit(minutes: Double, needed: String)
  /// `heal` without a model to learn from.
  case needsTeacher
  /// What is made from a file's bytes, where the file is planned only.
  case notWritten

  public var what: String {
    switch self {
    case .notIDs(let reason): "standard input is not a JSON array of token ids: \(reason)"
    case .list(let text, let option):
      "\(option) \"\(text)\" is not a list of whole numbers such as 1,2,3"
    case .textTooShort(_, let tokens, let needed):
      "has \(counted(tokens, "token")), at least \(needed) are needed"
    case .onlySpecial: "holds nothing but special tokens"
    case .vocabularies(let model, let teacher):
      "model and teacher have different vocabularies (\(model) and \(counted(teacher, "token")))"
    case .option(let name, let value, let expected): "\(name) is \(value), expected \(expected)"
    case .ownTeacher: "is its own --teacher; give the model that it was converted from"
    case .timeLimit(let minutes, let needed):
      "--time-limit is \(minutes) minutes; with as few gradient steps as that allows it takes \(needed)"
    case .needsTeacher: "healing needs the model that the checkpoint was converted from"
    case .notWritten: "what is read has to be there, and in a dry run it is not"
    case .argument(let text):
      "the argument \"\(text)\" has bytes that are no UTF-8: write a text in UTF-8, rename a file"
    }
  }

  public var location: String? {
    switch self {
    case .textTooShort(let file, _, _), .onlySpecial(let file), .ownTeacher(let file):
      file == InputFile.dash ? InputFile.standardInput : file
    default: nil
    }
  }

  public var advice: String? {
    switch self {
    case .timeLimit: "fewer --tokens or --distill-steps, or a longer limit"
    default: nil
    }
  }

  /// Throws when an argument is no text: it would be changed into one that names nothing.
  public static func requireText(_ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>)
    throws
  {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = arguments[index], String(validatingCString: argument) == nil else {
        continue
      }
      throw self.argument(String(cString: argument))
    }
  }

  /// The ids in a JSON array.
  public static func ids(in data: [UInt8]) throws -> [Int] {
    let value: JSONValue
    do {
      value = try JSONParser.parse(data, limit: .ids)
    } catch {
      throw notIDs(reason: error.what)
    }
    let ids = value.array?.compactMap(\.int) ?? []
    guard let array = value.array, ids.count == array.count else {
      throw notIDs(reason: "it holds something else")
    }
    return ids
  }

  /// The whole numbers in the comma-separated list that `option` was given.
  public static func numbers(in list: String, option: String) throws -> [Int] {
    let parts = list.split(separator: ",", omittingEmptySubsequences: false)
    let ids = parts.compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    guard ids.count == parts.count else { throw self.list(list, option: option) }
    return ids
  }
}
