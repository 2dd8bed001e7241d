import Foundation
import TensorTypes

/// A line on standard error that shows how far a task is, with rate and time left.
final class Progress {
  private let title: String
  private let isShown: Bool
  private let started = Date()
  private var lastShown = Date.distantPast

  /// A progress line; shown only when standard error is a terminal and `quiet` is not asked for.
  init(_ title: String, quiet: Bool) {
    self.title = title
    isShown = !quiet && Terminal.isInteractive
  }

  /// Shows that `done` of `total` bytes or items are finished.
  func update(done: Int, total: Int, unit: (Int) -> String = { ByteSize($0).description }) {
    let now = Date()
    guard isShown, total > 0, now.timeIntervalSince(lastShown) > 0.1 || done == total else {
      return
    }
    lastShown = now
    let elapsed = now.timeIntervalSince(started)
    let share = Double(done) / Double(total)
    var text = "\r\u{1b}[K\(title) \(fixed(100 * share, 0))% (\(unit(done)) of \(unit(total)))"
    if elapsed > 0.5, share > 0 {
      text += ", \(unit(Int(Double(done) / elapsed)))/s"
      text += ", \(duration(elapsed * (1 - share) / share)) left"
    }
    Terminal.write(text, to: .standardError)
  }

  /// Removes the line.
  func finish() {
    if isShown { Terminal.write("\r\u{1b}[K", to: .standardError) }
  }
}

/// `4.2 s`, `3 min 20 s`, `1 h 5 min`.
func duration(_ seconds: Double) -> String {
  if seconds < 59.95 { return "\(fixed(seconds, 1)) s" }
  let whole = Int(seconds.rounded())
  if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
  return "\(whole / 3600) h \(whole % 3600 / 60) min"
}
