import Foundation

/// What tells one version of an input file from another without reading it.
public enum FileIdentity {
  /// Path, size and time of change of the files among `paths`.
  ///
  /// Directories are left out: one changes when an output is made inside it, and its files are
  /// inputs themselves.
  public static func of(_ paths: [String]) -> String {
    paths.compactMap { path in
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      if attributes?[.type] as? FileAttributeType == .typeDirectory { return nil }
      let modified = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      return "\(path) \(attributes?[.size] as? Int ?? 0) \(modified)"
    }.joined(separator: " ")
  }
}
