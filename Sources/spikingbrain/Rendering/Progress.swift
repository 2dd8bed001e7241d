import Foundation
import TensorTypes

/// A line on standard error that shows how far a task is, with rate and time left.
///
/// It never is wider than the terminal, since a line that wraps cannot be written over.
final class Progress {
  /// What is counted.
  enum Unit {
    /// Nothing that a person would count: the share says it.
    case share
    case bytes
    /// Things by their plural, such as `tokens`.
    case things(String)
  }

  private let unit: Unit
  private let isShown: Bool
  private let started = Date()
  private var pace = Pace()
  private var lastShown = Date.distantPast
  private var line: ProgressLine

  /// A progress line; shown only when standard error is a terminal and `quiet` is not asked for.
  init(_ title: String, unit: Unit = .share, quiet: Bool) {
    self.unit = unit
    line = ProgressLine(title: title.printable)
    isShown = !quiet && Terminal.isInteractive
  }

  /// Shows that `done` of `total` are finished.
  ///
  /// - Parameter detail: what is being done, a few words.
  func update(done: Int, total: Int, detail: String = "") {
    guard total > 0 else { return }
    let share = Double(done) / Double(total)
    update(share: share, detail: detail) { pace in
      let rate = pace.map { $0 * Double(total) }
      return switch unit {
      case .share: []
      case .bytes:
        ["\(ByteSize(done)) of \(ByteSize(total))"]
          + (rate.map { ["\(ByteSize(Int($0)))/s"] } ?? [])
      case .things(let things):
        ["\(done) of \(total) \(things)"] + (rate.map { ["\(fixed($0, $0 < 10 ? 1 : 0))/s"] } ?? [])
      }
    }
  }

  /// Begins a part of the work: what it finds done already, an earlier run did. A part with a title
  /// of its own counts its share from 0.
  func begin(_ title: String? = nil) {
    if let title { line.title = title.printable }
    pace.begin()
    lastShown = .distantPast
  }

  /// Shows that a share of the work, 0 to 1, is finished.
  func update(share: Double, detail: String = "") {
    update(share: share, detail: detail) { _ in [] }
  }

  private func update(
    share: Double, detail: String, counts: (_ sharePerSecond: Double?) -> [String]
  ) {
    guard isShown else { return }
    let now = Date()
    pace.note(share, at: now)
    guard now.timeIntervalSince(lastShown) > 0.1 || share >= 1 else { return }
    lastShown = now
    let rate = pace.rate(at: now)
    line.share = share
    line.detail = detail
    line.counts = counts(rate)
    line.elapsed = now.timeIntervalSince(started)
    line.left = rate.map { (1 - share) / $0 }
    Terminal.show(progress: line.text(columns: Terminal.columns))
  }

  /// Removes the line.
  func finish() {
    if isShown { Terminal.show(progress: "") }
  }
}

/// How fast a share grows, of what this run did itself: a resumed run starts where another one
/// ended, and that part took it no time.
struct Pace {
  private var first: (share: Double, time: Date)?
  private var share = 0.0

  /// Forgets what was done: the next note is where a part begins.
  mutating func begin() { first = nil }

  /// Notes that `share` of the work is finished.
  mutating func note(_ share: Double, at time: Date) {
    if first == nil { first = (share, time) }
    self.share = share
  }

  /// Shares per second; nil before there is anything to tell it from.
  func rate(at time: Date) -> Double? {
    guard let first, share > first.share else { return nil }
    let seconds = time.timeIntervalSince(first.time)
    return seconds > 0.5 ? (share - first.share) / seconds : nil
  }
}

/// The parts of a progress line, of which the less important ones give way on a narrow terminal.
struct ProgressLine {
  var title: String
  var share = 0.0
  /// What is being done.
  var detail = ""
  /// How much of how much, and how fast.
  var counts: [String] = []
  /// Seconds since the start, and to the end when it can be told.
  var elapsed = 0.0
  var left: Double?

  /// `healing 20%, layer 6 of 30, 1 min 3 s, 4 min 12 s left`, shorter than `columns`.
  func text(columns: Int) -> String {
    let percent = Int((100 * min(max(share, 0), 1)).rounded(.down))
    let times =
      (elapsed >= 1 ? [duration(elapsed, decimals: 0)] : [])
      + (left.map { [duration($0, decimals: 0) + " left"] } ?? [])
    // From the fullest to the barest.
    let forms = [
      (title, counts, times, detail), (title, [], times, detail), (title, [], times, ""),
      (title, [], Array(times.suffix(1)), ""), (title, [], [], ""),
    ]
    for (title, counts, times, detail) in forms {
      let line = (["\(title) \(percent)%"] + (detail.isEmpty ? [] : [detail]) + counts + times)
        .joined(separator: ", ")
      if line.count < columns { return line }
    }
    let number = " \(percent)%"
    return String(title.prefix(max(0, columns - number.count - 1))) + number
  }
}

/// `4.2 s`, `3 min 20 s`, `1 h 5 min`.
func duration(_ seconds: Double, decimals: Int = 1) -> String {
  if seconds < 59.95 { return "\(fixed(seconds, decimals)) s" }
  let whole = Int(seconds.rounded())
  if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
  return "\(whole / 3600) h \(whole % 3600 / 60) min"
}
