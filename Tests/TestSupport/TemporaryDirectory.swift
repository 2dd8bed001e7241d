import Foundation

/// A directory that is removed when the test that made it ends.
public final class TemporaryDirectory: Sendable {
  /// Where it lies.
  public let path: String

  /// An empty directory of a new name, which says whose it is.
  public init() throws {
    Self.sweep
    path = Self.parent + "/\(Self.prefix)\(getpid())-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  private static let parent = FileManager.default.temporaryDirectory.path
  private static let prefix = "spikingbrain-tests-"

  /// Removes, once, what processes that were killed have left.
  private static let sweep: Void = {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
    where name.hasPrefix(prefix) {
      guard let owner = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }) else { continue }
      if kill(owner, 0) != 0, errno == ESRCH {
        try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
      }
    }
  }()

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of `name` inside.
  public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes `text` to the file `name`, making directories as needed, and returns its path.
  @discardableResult
  public func write(_ name: String, _ text: String) throws -> String {
    try write(name, Array(text.utf8))
  }

  /// Writes `bytes` to the file `name`, making directories as needed, and returns its path.
  @discardableResult
  public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = URL(fileURLWithPath: self(name))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }

  /// The names inside, sorted.
  public var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}

/// Small things about files.
public enum Files {
  /// Whether anything is at `path`.
  public static func exist(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// The whole file at `path`.
  public static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// The text of the file at `path`.
  public static func text(_ path: String) throws -> String {
    String(decoding: try bytes(path), as: UTF8.self)
  }

  /// Copies a file or a directory tree.
  public static func copy(_ from: String, to: String) throws {
    try FileManager.default.copyItem(atPath: from, toPath: to)
  }

  /// Removes a file or a directory tree.
  public static func remove(_ path: String) throws {
    try FileManager.default.removeItem(atPath: path)
  }

  /// Every file below `directory` with its bytes, to compare two directories whole.
  public static func tree(_ directory: String) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
      let path = directory + "/" + name
      let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
      if type == .typeRegular { files[name] = try bytes(path) }
    }
    return files
  }
}
