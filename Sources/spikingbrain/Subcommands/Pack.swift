import Archives
import ArgumentParser
import Foundation
import StrictJSON
import TensorTypes

/// `pack`: a directory becomes one compressed file.
struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Packs a directory into one compressed file, from which it comes back byte for byte.",
    discussion: """
      Weights are split into byte planes, of which only the predictable ones shrink. Frames and seek \
      table are those of the zstd seekable format; see formats/sbz. Directories without a file are \
      not kept.
      """)

  @Argument(help: "The directory to pack.")
  var dir: String

  @Argument(help: ArgumentHelp("The archive to write.", valueName: "file.sbz"))
  var file: String

  @Flag(help: "Print what would be packed, and write nothing.")
  var dryRun = false

  @Flag(help: "Replace an existing FILE.")
  var force = false

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    try limits.apply()
    let plan = try PackPlan(directory: dir)
    try plan.checkOutput(file, force: force)
    var json = JSONObject([
      ("archive", .string(file)), ("files", .int(plan.fileCount)),
      ("tensors", .int(plan.tensorCount)), ("bytes", .int(plan.bytes)),
    ])
    let content =
      counted(plan.fileCount, "file") + ", " + counted(plan.tensorCount, "tensor")
      + ", \(ByteSize(plan.bytes))"
    guard !dryRun else {
      return reporting.report(.object(json), text: "would pack \(dir): \(content)")
    }
    let started = Date()
    let progress = Progress("packing \(dir)", unit: .bytes, quiet: reporting.quiet)
    let result = try plan.write(to: file, force: force, memory: limits.archiveMemory) {
      progress.update(done: $0, total: plan.bytes)
    }
    progress.finish()
    let seconds = Date().timeIntervalSince(started)
    json["packed_bytes"] = .int(result.bytes)
    json["frames"] = .int(result.frames)
    json["seconds"] = .double(seconds)
    let share = 100 * Double(result.bytes) / Double(max(1, plan.bytes))
    reporting.report(
      .object(json),
      text: "packed \(content) into \(file): \(ByteSize(result.bytes)), \(fixed(share, 1))%, "
        + speed(plan.bytes, seconds))
  }
}

/// `4.2 s (1.20 GB/s)`
func speed(_ bytes: Int, _ seconds: Double) -> String {
  "\(duration(seconds)) (\(ByteSize(Int(Double(bytes) / max(seconds, 1e-3))))/s)"
}

extension LimitOptions {
  /// What packing and unpacking may use: half of the limit, which leaves room for the index.
  var archiveMemory: Int { (maxRam?.bytes ?? 4 * minimumMemory) / 2 }
}
