import Dispatch
import Foundation
import Synchronization

/// One of the threads that work on a list, with a connection of its own.
struct HubCrew: Sendable {
  let connection: HubConnection
  fileprivate let failure: @Sendable () -> Bool

  /// Whether one of them failed, so that the others need not go on.
  var isOver: Bool { failure() }

  /// Requests that are under way at the same time.
  static let width = 4
}

extension HubClient {
  /// Does `body` for each of `items`, some at a time; returns the results in their order, or throws the
  /// first error.
  ///
  /// - Parameter meanwhile: called from time to time, on the thread that waits.
  func all<Item: Sendable, Result: Sendable>(
    _ items: [Item], meanwhile: () -> Void = {},
    _ body: @escaping @Sendable (Item, HubCrew) throws(HubError) -> Result
  ) throws(HubError) -> [Result] {
    let work = HubWork<Result>(count: items.count)
    let ended = DispatchSemaphore(value: 0)
    let count = min(HubCrew.width, items.count)
    for _ in 0..<count {
      Thread.detachNewThread {
        let crew = HubCrew(connection: connection()) { work.failure != nil }
        while let index = work.next() {
          do throws(HubError) {
            work.finish(index, try body(items[index], crew))
          } catch {
            work.fail(error)
          }
        }
        ended.signal()
      }
    }
    var left = count
    while left > 0 {
      if ended.wait(timeout: .now() + .milliseconds(100)) == .success { left -= 1 }
      meanwhile()
    }
    if let error = work.failure { throw error }
    return work.results
  }
}

/// The items of a list that are still to be worked on, and what came of the others.
private final class HubWork<Result: Sendable>: Sendable {
  private struct State {
    var next = 0
    var results: [Result?]
    var failure: HubError?
  }

  private let state: Mutex<State>

  init(count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count))) }

  /// The next item; nil when there is none, or nothing more is to be done.
  func next() -> Int? {
    state.withLock { state in
      guard state.failure == nil, state.next < state.results.count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  func finish(_ index: Int, _ result: Result) { state.withLock { $0.results[index] = result } }

  /// Ends the work of all; the first error is kept.
  func fail(_ error: HubError) {
    state.withLock { state in if state.failure == nil { state.failure = error } }
  }

  var failure: HubError? { state.withLock { $0.failure } }

  var results: [Result] { state.withLock { $0.results.compactMap(\.self) } }
}
