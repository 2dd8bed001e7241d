import Foundation
import Foundations
import Pipeline

/// The line on standard error that shows how far a piece of work is, with rate and time left.
///
/// It never is wider than the terminal, since a line that wraps cannot be written over.
struct ProgressView {
  private let started = Date()
  private var pace = Pace()
  private var lastShown = Date.distantPast
  private var line = ProgressLine(title: "")

  /// Shows a state of the work.
  mutating func show(_ progress: Event.Progress) {
    line.title = progress.title.printable
    switch progress.state {
    case .started: break
    case .part:
      pace.begin()
      lastShown = .distantPast
    case .at(let share, let detail, let done, let total):
      update(progress.unit, share, detail, done, total)
    case .ended: Terminal.show(progress: "")
    }
  }

  private mutating func update(
    _ unit: Event.Progress.Unit, _ share: Double, _ detail: String, _ done: Int?, _ total: Int?
  ) {
    let now = Date()
    pace.note(share, at: now)
    guard now.timeIntervalSince(lastShown) > 0.1 || share >= 1 else { return }
    lastShown = now
    let rate = pace.rate(at: now)
    line.share = share
    line.detail = detail
    line.counts = Self.counts(unit, done, total, sharePerSecond: rate)
    line.elapsed = now.timeIntervalSince(started)
    line.left = rate.map { (1 - share) / $0 }
    Terminal.show(progress: line.text(columns: Terminal.columns))
  }

  /// How much of how much, and how fast.
  private static func counts(
    _ unit: Event.Progress.Unit, _ done: Int?, _ total: Int?, sharePerSecond: Double?
  ) -> [String] {
    guard let done, let total else { return [] }
    let rate = sharePerSecond.map { $0 * Double(total) }
    switch unit {
    case .share: return []
    case .bytes:
      return ["\(ByteSize(done)) of \(ByteSize(total))"]
        + (rate.map { ["\(ByteSize(Int($0)))/s"] } ?? [])
    case .things(let things):
      return ["\(done) of \(total) \(things)"]
        + (rate.map { ["\(fixed($0, $0 < 10 ? 1 : 0))/s"] } ?? [])
    }
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
