import ArgumentParser
import Foundation
import Pipeline
import Serving
import StepSettings
import StrictJSON

/// `serve`: a model answers over HTTP.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers the requests of OpenAI's clients over HTTP.",
    discussion: """
      /v1/models, /v1/completions, /v1/chat/completions, /metrics (Prometheus), /healthz, and at / a \
      page to talk to the model. What was read of a conversation is kept: its next turn reads only what \
      is new. SIGTERM or Ctrl-C takes no more requests and finishes those that were taken.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @OptionGroup var options: SettingsOptions<ServeKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    let isJSON = checking.reporting.json
    try checking.run { context in
      try ServeStep(options.settings()).run(ckpt, context) { ready in
        if isJSON { Terminal.say(.object(ready.json)) } else { Terminal.say(ready.text) }
      }
      return nil
    }
  }
}

/// `chat`: a conversation with a model.
struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A conversation with a model, in the checkpoint's chat format.",
    discussion: """
      What was read stays in the model's state, so that a turn reads only what is new. /help tells what \
      else can be said; Ctrl-C stops an answer. Lines may be piped in.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @OptionGroup var options: SettingsOptions<ChatKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var limits: LimitOptions

  @Flag(help: "No prompt, no speeds and no notes.")
  var quiet = false

  func run() throws {
    let asks = !quiet && isatty(STDIN_FILENO) == 1
    let quiet = quiet
    let editor = asks ? LineEditor() : nil
    let console = ChatStep.Console(
      isInteractive: asks,
      read: {
        guard !Terminal.isUnread else { return nil }
        guard let editor else { return readLine() }
        return editor.line(prompt: "> ")
      },
      write: { Terminal.continueText($0) },
      note: { if !quiet { Terminal.note($0) } })
    try Reporting(level: quiet ? .error : .progress).run(limits, inputs) { context in
      try ChatStep(options.settings()).run(ckpt, context, console)
      return nil
    }
  }
}
