import Checkpoints
import Foundations
import Pipeline
import Synchronization

/// Shows what a run says: notes and progress on standard error, results on standard output.
final class Renderer: Sendable {
  private let json: Bool
  private let level: LogLevel
  private let view = Mutex<ProgressView?>(nil)
  /// What was said: several steps find the same of one file.
  private let notes = Mutex<Set<String>>([])

  init(json: Bool, level: LogLevel) {
    self.json = json
    self.level = level
  }

  /// Shows one event.
  @Sendable func show(_ event: Event) {
    switch event {
    case .note(let text):
      let isNew = notes.withLock { $0.insert(text).inserted }
      if isNew && level >= .note { Terminal.log(.note, text.printable) }
    case .step(let text):
      guard level >= .note else { break }
      if Terminal.isStructured {
        Terminal.log(.note, text.printable)
      } else if !json {
        Terminal.say("== \(text)")
      }
    case .result(let report): if !json && !report.text.isEmpty { Terminal.say(report.text) }
    case .progress(let progress): if level >= .progress { show(progress) }
    case .resumable:
      if World.speaks {
        Interruption.say("\ninterrupted: the same command with --resume goes on from here\n")
      }
    case .fetching(true):
      if World.speaks {
        Interruption.say(
          "\ninterrupted: what has arrived is kept, the same command fetches the rest\n")
      }
    case .fetching(false): Interruption.saysNothing()
    }
  }

  private func show(_ progress: Event.Progress) {
    let isTerminal = Terminal.isInteractive && !Terminal.isStructured
    let line = view.withLock { view in
      if case .started = progress.state { view = ProgressView(in: isTerminal ? .terminal : .log) }
      return view?.line(for: progress)
    }
    if isTerminal {
      if case .ended = progress.state { Terminal.show(progress: "") }
      if let line { Terminal.show(progress: line.text(columns: Terminal.columns)) }
    } else if let line {
      Terminal.log(.progress, line.text(columns: .max), line.facts)
    }
  }

  /// Removes what stands for progress.
  func finish() { if Terminal.isInteractive { Terminal.show(progress: "") } }
}
