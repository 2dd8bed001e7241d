import Foundation
import Foundations
import Pipeline
import StrictJSON

/// How far a piece of work is, with rate and time left, as often as somebody wants to see it.
struct ProgressView {
  /// Where it is shown, which decides how often.
  enum Place {
    /// A line that is written over, at once and ten times a second.
    case terminal
    /// A line below the others: a run over night leaves some hundred, a short one none.
    case log

    var interval: Double { self == .terminal ? 0.1 : 30 }
  }

  private let place: Place
  private let started: Date
  private var pace = Pace()
  private var lastShown: Date
  private var line = ProgressLine(title: "")

  init(in place: Place, at now: Date = Date()) {
    self.place = place
    started = now
    lastShown = place == .terminal ? .distantPast : now
  }

  /// The line to show for a state of the work; nil when it is not yet time for one.
  mutating func line(for progress: Event.Progress, at now: Date = Date()) -> ProgressLine? {
    line.title = progress.title.printable
    switch progress.state {
    case .started, .ended: return nil
    case .part:
      pace.begin()
      if place == .terminal { lastShown = .distantPast }
      return nil
    case .at(let share, let detail, let done, let total):
      pace.note(share, at: now)
      let isDue = now.timeIntervalSince(lastShown) > place.interval
      guard isDue || place == .terminal && share >= 1 else { return nil }
      lastShown = now
      let rate = pace.rate(at: now)
      line.share = share
      line.detail = detail
      line.counts = Self.counts(progress.unit, done, total, sharePerSecond: rate)
      line.elapsed = now.timeIntervalSince(started)
      line.left = rate.map { (1 - share) / $0 }
      return line
    }
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

/// The parts of a progress line, of which the less important ones give way on a narrow terminal:
/// a line that wraps cannot be written over.
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

  /// The same for programs.
  var facts: JSONObject {
    var facts = JSONObject()
    facts["work"] = .string(title)
    facts["share"] = .number(fixed(min(max(share, 0), 1), 4))
    if !detail.isEmpty { facts["detail"] = .string(detail) }
    facts["seconds"] = .number(fixed(elapsed, 1))
    facts["secondsLeft"] = left.map { .number(fixed($0, 1)) }
    return facts
  }

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
