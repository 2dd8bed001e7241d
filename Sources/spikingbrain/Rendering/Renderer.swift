import Checkpoints
import Foundations
import Pipeline
import Synchronization

/// Shows what a run says: notes and progress on standard error, results on standard output.
final class Renderer: Sendable {
  private let json: Bool
  private let quiet: Bool
  private let line = Mutex<ProgressView?>(nil)
  /// What was said: several steps find the same of one file.
  private let notes = Mutex<Set<String>>([])

  init(json: Bool, quiet: Bool) {
    self.json = json
    self.quiet = quiet
  }

  /// Shows one event.
  @Sendable func show(_ event: Event) {
    switch event {
    case .note(let text):
      let isNew = notes.withLock { $0.insert(text).inserted }
      if isNew && !quiet { Terminal.note(text.printable) }
    case .step(let text): if !json && !quiet { Terminal.say("== \(text)") }
    case .result(let report): if !json && !report.text.isEmpty { Terminal.say(report.text) }
    case .progress(let progress): show(progress)
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
    guard !quiet && Terminal.isInteractive else { return }
    line.withLock { line in
      if case .started = progress.state { line = ProgressView() }
      line?.show(progress)
    }
  }

  /// Removes what stands for progress.
  func finish() { if Terminal.isInteractive { Terminal.show(progress: "") } }
}
