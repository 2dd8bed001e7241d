import Foundation
import Foundations
import Kernels
package import Runtime
import Verification

/// Measures how fast a model runs, after a check that it runs right.
package struct SpeedProbe {
  private let model: Model
  /// The largest decoding state there was, in bytes.
  package private(set) var stateBytes = 0

  /// A probe of `model`; throws when prefill and decoding do not agree.
  package init(_ model: Model) throws {
    let check = try SelfCheck.run(model)
    guard check.outcome != .failed else { throw BenchError.checkFailed(check.detail) }
    self.model = model
  }

  /// Seconds for reading a prompt of `length` tokens and choosing the token after it.
  package mutating func prefill(_ length: Int) throws -> Double {
    var state = DecodingState(for: model.description)
    let tokens = SelfCheck.tokens(model, count: length)
    defer { stateBytes = max(stateBytes, state.byteCount) }
    return try timed {
      let hidden = try model.extend(&state, with: tokens, lastOnly: true)
      _ = try model.logits(hidden, rows: 0..<1)
    }
  }

  /// The most likely token after `tokens`.
  func next(after tokens: [Int]) throws -> Int {
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: tokens)
    let logits = try model.logits(hidden, rows: tokens.count - 1..<tokens.count)
    return withExtendedLifetime(logits) {
      logits.elements.indices.max { logits.elements[$0] < logits.elements[$1] } ?? 0
    }
  }

  /// Seconds for decoding `count` tokens of each of `texts` texts, together, after `position` tokens.
  package mutating func decode(_ count: Int, at position: Int, texts: Int) throws -> Double {
    var state = DecodingState(for: model.description)
    if position > 0 {
      _ = try model.extend(&state, with: SelfCheck.tokens(model, count: position), lastOnly: true)
    }
    var states = [DecodingState](repeating: state, count: texts)
    let tokens = SelfCheck.tokens(model, count: count)
    defer { stateBytes = max(stateBytes, states[0].byteCount) }
    return try timed {
      for token in tokens {
        let hidden =
          texts == 1
          ? try model.extend(&states[0], with: [token])
          : try model.step(&states, with: [Int](repeating: token, count: texts))
        _ = try model.logits(hidden, rows: 0..<texts)
      }
    }
  }

  /// The same for one text.
  package mutating func decode(_ count: Int, at position: Int) throws -> Double {
    try decode(count, at: position, texts: 1)
  }

  private func timed(_ body: () throws -> Void) rethrows -> Double {
    let started = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - started) * 1e-9
  }
}

/// The processor's name, and how many threads and which instructions the kernels use.
package func machine() -> String {
  let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(
    separator: "\n")
  let name = lines?.first { $0.hasPrefix("model name") }?.split(separator: ":").last
  return "\(name?.trimmingCharacters(in: .whitespaces) ?? "unknown processor"), "
    + "\(Parallel.threadCount) thread(s), \(InstructionSet.current)"
}

/// Why no speed is printed.
enum BenchError: ReportableError {
  case checkFailed(String)
  /// A program to compare with does not do its part.
  case rival(String, String)

  var what: String {
    switch self {
    case .rival(let command, let reason): "\(command): \(reason)"
    case .checkFailed(let detail): "no figures, because the check failed: \(detail)"
    }
  }
  var exitCode: Int32 { if case .checkFailed = self { 1 } else { 2 } }
}
