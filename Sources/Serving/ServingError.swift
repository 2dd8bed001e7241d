import Foundations

/// Why a text is not continued.
package enum ServingError: ReportableError, Equatable {
  /// As many wait as may.
  case queueFull(waiting: Int)
  /// The program ends.
  case stopping
  /// There is nothing to go on from.
  case emptyPrompt
  /// The prompt and the answer are longer than the model can read.
  case tooLong(tokens: Int, limit: Int)
  /// It took longer than it may.
  case timeLimit(seconds: Double)
  /// A state that `generate` saved: it does not say what was said.
  case noConversation(file: String)
  /// A line of a conversation that is read from a file or a pipe is no UTF-8.
  case notText
  /// The address cannot be listened on.
  case address(host: String, port: Int, reason: String)

  package var what: String {
    switch self {
    case .queueFull(let waiting):
      "\(counted(waiting, "request")) \(waiting == 1 ? "is" : "are") waiting already"
    case .stopping: "the server is stopping"
    case .emptyPrompt: "the prompt has no tokens"
    case .tooLong(let tokens, let limit):
      "the prompt and the answer have \(counted(tokens, "token")), at most \(limit) are possible"
    case .timeLimit(let seconds): "the request took longer than \(fixed(seconds, 0)) s"
    case .noConversation(let file): "\(file) holds a state, and no conversation"
    case .notText: "standard input holds a line that is no UTF-8 text"
    case .address(let host, let port, let reason):
      "cannot listen on \(host) port \(port): \(reason)"
    }
  }

  package var advice: String? {
    switch self {
    case .address: "another --port, or 0 for any that is free"
    case .noConversation: "go on from it with generate --state"
    default: nil
    }
  }
}
