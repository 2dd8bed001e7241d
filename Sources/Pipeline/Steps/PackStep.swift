import Archives
import Checkpoints
import Foundation
import Foundations
import StrictJSON

/// `pack`: a directory becomes one compressed file.
public enum PackStep {
  /// Packs `directory` into the archive `file`, or says what would be packed.
  public static func run(
    _ directory: String, to file: String, _ context: Context
  ) throws -> Report {
    try context.limits.apply()
    let plan = try PackPlan(directory: directory)
    try plan.checkOutput(file, force: context.mode.force)
    var json = JSONObject([
      ("archive", .string(file)), ("files", .int(plan.fileCount)),
      ("tensors", .int(plan.tensorCount)), ("bytes", .int(plan.bytes)),
    ])
    let content =
      counted(plan.fileCount, "file") + ", " + counted(plan.tensorCount, "tensor")
      + ", \(ByteSize(plan.bytes))"
    guard !context.isDryRun else {
      return Report(json: json, text: "would pack \(directory): \(content)")
    }
    let started = Date()
    let progress = context.progress("packing \(directory)", unit: .bytes)
    defer { progress.finish() }
    let result = try plan.write(
      to: file, force: context.mode.force, memory: context.limits.archives
    ) {
      progress.update(done: $0, total: plan.bytes)
    }
    let seconds = Date().timeIntervalSince(started)
    json["packed_bytes"] = .int(result.bytes)
    json["frames"] = .int(result.frames)
    json["seconds"] = .double(seconds)
    let share = 100 * Double(result.bytes) / Double(max(1, plan.bytes))
    return Report(
      json: json,
      text: "packed \(content) into \(file): \(ByteSize(result.bytes)), \(fixed(share, 1))%, "
        + speed(plan.bytes, seconds))
  }
}
