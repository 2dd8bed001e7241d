import Dispatch
import Foundation
import Foundations
public import Pipeline
public import StepSettings

/// `chat`: a conversation in a terminal, or with what is piped in.
public struct ChatStep: Step {
  public static let name = "chat"
  public let settings: Settings<ChatKeys>

  public init(_ settings: Settings<ChatKeys>) { self.settings = settings }

  /// Where a conversation is read and shown.
  public struct Console {
    /// Whether somebody types, who can be told what to do.
    public var isInteractive: Bool
    /// The next line of the user; nil at the end.
    public var read: () -> String?
    /// Shows a part of an answer.
    public var write: (String) -> Void
    /// Says something about the conversation.
    public var note: @Sendable (String) -> Void

    public init(
      isInteractive: Bool, read: @escaping () -> String?, write: @escaping (String) -> Void,
      note: @escaping @Sendable (String) -> Void
    ) {
      self.isInteractive = isInteractive
      self.read = read
      self.write = write
      self.note = note
    }
  }

  /// What can be said that is not for the model.
  public static let help = """
    /save FILE   write the conversation and its state
    /load FILE   go on with a saved one
    /reset       forget what was said
    /help        show this
    /quit        end; so does the end of the input
    Ctrl-C stops an answer. A line that begins with // is said with one / less.
    """

  /// Talks with the checkpoint `path` until the user ends it.
  public func run(_ path: String, _ context: Context, _ console: Console) throws {
    try begin(context)
    let runnable = try RunnableModel(context.local(path), context)
    let conversation = try Conversation(runnable, settings)
    defer { conversation.end() }
    if let file = settings.load { _ = try conversation.load(file) }
    let interruption = Interruption()
    let signals = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    signal(SIGINT, SIG_IGN)
    signals.setEventHandler {
      if !interruption.fire() { console.note("(/quit ends the conversation)") }
    }
    signals.resume()
    defer {
      signals.cancel()
      signal(SIGINT, SIG_DFL)
    }
    if console.isInteractive { console.note("(/help tells what can be said beside text)") }
    while let line = console.read() {
      if line.allSatisfy(\.isWhitespace) { continue }
      // Swift reads what is no UTF-8 as this character, and nobody types it.
      if line.contains("\u{FFFD}") {
        guard console.isInteractive else { throw ServingError.notText }
        console.note("(a line that is no UTF-8 text: not said)")
        continue
      }
      if line.hasPrefix("/"), !line.hasPrefix("//") {
        if try !obey(line, conversation, console) { return }
        continue
      }
      try answer(
        line.hasPrefix("//") ? String(line.dropFirst()) : line, conversation, interruption, console)
    }
  }

  private func answer(
    _ text: String, _ conversation: Conversation, _ interruption: Interruption, _ console: Console
  ) throws {
    let result = try conversation.say(text, interruption: interruption, emit: console.write)
    console.write("\n")
    guard let result else { return console.note("(interrupted)") }
    let read = result.promptTokens - result.cachedTokens
    let seconds = max(result.seconds - result.promptSeconds, 1e-3)
    console.note(
      "(\(counted(result.generatedTokens, "token")) at "
        + "\(fixed(Double(result.generatedTokens) / seconds, 1))/s; read \(read) of "
        + "\(counted(result.promptTokens, "token")) in \(fixed(result.promptSeconds, 2)) s; state "
        + "\(ByteSize(result.stateBytes)))")
  }

  /// Does what a line that begins with / says; returns whether the conversation goes on.
  private func obey(
    _ line: String, _ conversation: Conversation, _ console: Console
  ) throws -> Bool {
    let words = line.split(separator: " ", maxSplits: 1)
    let argument = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : ""
    do {
      switch (words.first ?? "", argument) {
      case ("/quit", ""), ("/exit", ""): return false
      case ("/help", ""): console.note(Self.help)
      case ("/reset", ""):
        conversation.reset()
        console.note("(forgotten)")
      case ("/save", ""), ("/load", ""): console.note("\(line) needs the name of a file")
      case ("/save", let file):
        try conversation.save(file)
        console.note("(saved \(file))")
      case ("/load", let file):
        console.note("(loaded \(counted(try conversation.load(file), "message")))")
      default: console.note("\(line): no such command\n\(Self.help)")
      }
    } catch let error as any ReportableError {
      // A wrong name is no reason to lose what was said.
      console.note("error: \(error.description)")
    }
    return true
  }
}
