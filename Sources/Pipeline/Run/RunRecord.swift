import Checkpoints
import Foundation
import Foundations
import Glibc
import StrictJSON

/// What a run took, in a file of its own: times and machines have no place in an output, whose bytes
/// depend on nothing but what went in.
public final class RunRecord {
  private let file: AtomicFile
  private let started = Date()
  private var facts = JSONObject()

  /// Begins a record, which `finish` puts to `path`.
  ///
  /// - Parameters:
  ///   - command: what was asked for, word by word.
  ///   - force: replace a file that is there and is no record.
  public init(path: String, command: [String], force: Bool) throws {
    file = try AtomicFile(path: path, force: force, isOwn: Self.isOwn)
    facts["format"] = .string(Self.format)
    facts["tool"] = Context.tool.json
    facts["command"] = .array(command.map { .string($0) })
    facts["directory"] = .string(FileManager.default.currentDirectoryPath)
  }

  /// Writes what the run came to: its report, or why it ended.
  public func finish(_ outcome: Result<Report?, any Error>, exitCode: Int32) throws {
    // Not before: the limits of the run say how many threads there are.
    facts["machine"] = .string(machine())
    facts["started"] = .string(started.formatted(.iso8601))
    facts["seconds"] = .number(fixed(Date().timeIntervalSince(started), 3))
    let usage = ProcessUsage()
    facts["cpuSeconds"] = .number(fixed(usage.cpuSeconds, 3))
    facts["peakMemoryBytes"] = .int(usage.peakMemory)
    facts["bytesRead"] = usage.bytesRead.map { .int($0) }
    facts["bytesWritten"] = usage.bytesWritten.map { .int($0) }
    facts["exitCode"] = .int(Int(exitCode))
    switch outcome {
    case .success(let report): facts["report"] = report.map { .object($0.json) }
    case .failure(let error): facts["error"] = .string("\(error)")
    }
    try file.write(Array(JSONValue.object(facts).pretty.utf8))
    try file.commit()
  }

  private static let format = "spikingbrain-run"

  /// Most bytes of a file that may be an earlier record.
  private static let largest = 64 << 20

  private static func isOwn(_ path: String) -> Bool {
    guard FileStatus.size(path).map({ $0 <= largest }) ?? false,
      let bytes = FileManager.default.contents(atPath: path),
      case .object(let found)? = try? JSONParser.parse([UInt8](bytes))
    else { return false }
    return found["format"] == .string(format)
  }
}

/// What the system says that this process has used.
struct ProcessUsage {
  /// Seconds of all threads, in the program and in the system for it.
  let cpuSeconds: Double
  /// The most resident memory, in bytes.
  let peakMemory: Int
  /// Bytes of `read` and `write` and their kin; what is read of mapped files is not among them.
  let bytesRead: Int?
  let bytesWritten: Int?

  init() {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    cpuSeconds = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6
    }
    peakMemory = usage.ru_maxrss * 1024
    let lines = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8))?.split(
      separator: "\n")
    func count(_ name: String) -> Int? {
      lines?.first { $0.hasPrefix(name + ": ") }.flatMap { Int($0.dropFirst(name.count + 2)) }
    }
    bytesRead = count("rchar")
    bytesWritten = count("wchar")
  }
}
