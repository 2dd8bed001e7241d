import Streams
import TensorTypes

/// What a run says while it works, to whoever listens.
public enum Event: Sendable {
  /// Something a user should know.
  case note(String)
  /// A step of a pipeline begins.
  case step(String)
  /// A result of a pipeline's step, or one of the checks of `verify`, before the whole is done.
  case result(Report)
  /// Work proceeds.
  case progress(Progress)
  /// From now on the run can be ended by a signal and resumed.
  case resumable
  /// Something is being fetched, or no longer: while it is, a run that is ended by a signal loses
  /// nothing of what has arrived.
  case fetching(Bool)

  /// How far a piece of work is.
  public struct Progress: Sendable {
    /// What is being done: `healing`.
    public var title: String
    /// What is counted.
    public var unit: Unit
    /// The state that is reported.
    public var state: State

    /// What is counted.
    public enum Unit: Sendable {
      /// Nothing that a person would count: the share says it.
      case share
      case bytes
      /// Things by their plural, such as `tokens`.
      case things(String)
    }

    /// A state of the work.
    public enum State: Sendable {
      /// It starts.
      case started
      /// A part begins: what it finds done already, an earlier run did.
      case part
      /// A share of it, 0 to 1, is done; `detail` says in a few words what is being done, `done` of
      /// `total` count it.
      case at(share: Double, detail: String, done: Int?, total: Int?)
      /// It is over.
      case ended
    }
  }
}

/// Reports the progress of one piece of work as events.
public final class Progress {
  private let context: Context
  private var title: String
  private let unit: Event.Progress.Unit
  private var forecast = Forecast()

  init(_ title: String, unit: Event.Progress.Unit, _ context: Context) {
    self.title = title
    self.unit = unit
    self.context = context
    send(.started)
  }

  private func send(_ state: Event.Progress.State) {
    context.send(.progress(Event.Progress(title: title, unit: unit, state: state)))
  }

  /// `done` of `total` are finished.
  ///
  /// - Parameter detail: what is being done, a few words.
  public func update(done: Int, total: Int, detail: String = "") {
    guard total > 0 else { return }
    send(
      .at(share: Double(done) / Double(total), detail: detail, done: done, total: total))
  }

  /// A share of the work, 0 to 1, is finished.
  public func update(share: Double, detail: String = "") {
    send(.at(share: share, detail: detail, done: nil, total: nil))
  }

  /// A layer is finished: says once about how long those of its kind and of others still take.
  func finished(_ found: some Streams.LayerReport, of kinds: [String]) {
    if let left = forecast.left(after: found.layer, of: kinds, seconds: found.seconds) {
      context.note("\(title): \(left)")
    }
  }

  /// Begins a part of the work. A part with a title of its own counts its share from 0.
  public func begin(_ title: String? = nil) {
    if let title { self.title = title }
    send(.part)
  }

  /// The work is over.
  public func finish() { send(.ended) }
}
