public import Foundations

/// Why a chat template cannot be used.
public enum ChatTemplateError: ReportableError, Equatable {
  /// An error in a file.
  indirect case inFile(String, ChatTemplateError)
  case tooLarge(bytes: Int, limit: Int)
  /// A member of `tokenizer_config.json` that should be the template.
  case noText(path: String)
  case syntax(reason: String, line: Int)
  case unsupported(String, line: Int)
  case failed(reason: String, line: Int)
  case refused(message: String)

  public var what: String {
    switch self {
    case .inFile(_, let error): error.what
    case .tooLarge(let bytes, let limit):
      "the chat template has size \(bytes), above the limit of \(limit)"
    case .noText(let path): "\(path): expected a chat template"
    case .syntax(let reason, let line), .failed(let reason, let line):
      "chat template, line \(line): \(reason)"
    case .unsupported(let construct, let line):
      "chat template, line \(line): \(construct) is not supported"
    case .refused(let message): "the chat template refuses these messages: \(message)"
    }
  }

  public var location: String? {
    if case .inFile(let file, _) = self { file } else { nil }
  }

  /// What is wrong with it where it is no chat template, with its line.
  public var reason: String {
    switch self {
    case .inFile(_, let error): error.reason
    case .tooLarge, .noText, .refused: what
    case .syntax(let reason, let line), .failed(let reason, let line): "line \(line): \(reason)"
    case .unsupported(let construct, let line): "line \(line): \(construct) is not supported"
    }
  }

  public var advice: String? {
    switch self {
    case .inFile(_, let error): error.advice
    case .unsupported: "give the prompt as plain text instead"
    default: nil
    }
  }

  /// Runs `body`, whose errors then name `file` if there is one.
  static func naming<Value>(
    _ file: String?, _ body: () throws(ChatTemplateError) -> Value
  ) throws(ChatTemplateError) -> Value {
    do throws(ChatTemplateError) {
      return try body()
    } catch {
      throw file.map { .inFile($0, error) } ?? error
    }
  }
}
