public import Foundations

/// Why a question of a task cannot be put to a model.
public enum TaskError: ReportableError, Equatable {
  case noContinuation(place: String)
  case noContext(place: String)
  case noPrompt(place: String)
  /// A continuation that is longer than what the model is given at once.
  case continuationTooLong(tokens: Int, limit: Int, place: String)
  /// No room for a prompt beside the tokens that are generated.
  case noRoom(generated: Int, limit: Int, file: String)

  public var what: String {
    switch self {
    case .noContinuation: "the text to score has no token"
    case .noContext:
      "there is nothing before the text to score: the context is white space, or it is empty and the "
        + "tokenizer names no token that begins or ends a text"
    case .noPrompt: "there is no text to continue"
    case .continuationTooLong(let tokens, let limit, _):
      "the text to score has \(counted(tokens, "token")), more than the \(limit) that are read at once"
    case .noRoom(let generated, let limit, _):
      "\"max_gen_toks\" is \(generated), expected less than the \(limit) tokens that are read at once"
    }
  }

  public var location: String? {
    switch self {
    case .noContinuation(let place), .noContext(let place), .noPrompt(let place),
      .continuationTooLong(_, _, let place):
      place
    case .noRoom(_, _, let file): file
    }
  }

  public var advice: String? {
    switch self {
    case .continuationTooLong, .noRoom: "--max-length allows more, if the model does"
    default: nil
    }
  }
}
