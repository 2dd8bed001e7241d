import Foundation
import Testing

/// A text that is kept beside the tests, and compared whole.
///
/// With `UPDATE_SNAPSHOTS=1` in the environment it is written instead: read what changed in the diff.
public struct Snapshot {
  /// Where they are.
  public static let directory = Repository.root + "/Tests/Snapshots"

  private let path: String

  /// The snapshot called `name`; a path from the repository's root where `isDocument`.
  public init(_ name: String, isDocument: Bool = false) {
    path = isDocument ? Repository.root + "/" + name : Self.directory + "/" + name
  }

  /// Records an issue with the first line that differs.
  public func require(_ text: String) throws {
    if ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] == "1" {
      let url = URL(fileURLWithPath: path)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      return try text.write(to: url, atomically: true, encoding: .utf8)
    }
    let recorded = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    guard recorded != text else { return }
    let old = recorded.split(separator: "\n", omittingEmptySubsequences: false)
    let new = text.split(separator: "\n", omittingEmptySubsequences: false)
    let line = zip(old, new).prefix { $0 == $1 }.count
    Issue.record(
      """
      \(path):\(line + 1) says "\(line < old.count ? old[line] : "")", \
      now it is "\(line < new.count ? new[line] : "")" (UPDATE_SNAPSHOTS=1 make test writes it anew)
      """)
  }
}
