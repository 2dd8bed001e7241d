import Foundation
import Synchronization

extension Engine {
  /// What has happened since `start`, in Prometheus' text format.
  func metrics(since start: Date) -> String {
    let now = counters.withLock { $0 }
    let kept = states.figures
    var lines: [String] = []
    func metric(_ name: String, _ kind: String, _ help: String, _ values: (String, String)...) {
      lines.append("# HELP spikingbrain_\(name) \(help)")
      lines.append("# TYPE spikingbrain_\(name) \(kind)")
      for (suffix, value) in values { lines.append("spikingbrain_\(name)\(suffix) \(value)") }
    }
    metric(
      "requests_total", "counter", "Texts by how they ended.",
      ("{outcome=\"finished\"}", "\(now.finished)"), ("{outcome=\"failed\"}", "\(now.failed)"),
      ("{outcome=\"cancelled\"}", "\(now.cancelled)"))
    metric("running", "gauge", "Texts that are read or continued.", ("", "\(now.running)"))
    metric("waiting", "gauge", "Texts that wait for a place.", ("", "\(now.waiting)"))
    metric("prompt_tokens_total", "counter", "Tokens of prompts.", ("", "\(now.promptTokens)"))
    metric(
      "cached_prompt_tokens_total", "counter", "Those that kept states had read already.",
      ("", "\(now.cachedTokens)"))
    metric(
      "generated_tokens_total", "counter", "Tokens generated and read.",
      ("", "\(now.generatedTokens)"))
    metric("steps_total", "counter", "Steps of all texts together.", ("", "\(now.steps)"))
    metric(
      "prompt_seconds", "summary", "From the arrival of a request until its prompt is read.",
      ("_sum", "\(now.firstTokenSeconds)"), ("_count", "\(now.promptsRead)"))
    metric("states", "gauge", "Kept states.", ("", "\(kept.states)"))
    metric(
      "state_bytes", "gauge", "Bytes of kept states.", ("{place=\"memory\"}", "\(kept.memory)"),
      ("{place=\"disk\"}", "\(kept.disk)"))
    metric(
      "uptime_seconds", "gauge", "Seconds since the start.",
      ("", "\(Int(Date().timeIntervalSince(start)))"))
    return lines.joined(separator: "\n") + "\n"
  }
}
