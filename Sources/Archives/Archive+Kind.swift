import Checkpoints

extension Archive {
  /// Whether the file at `path` is one, by its name and its seek table.
  public static func isArchive(_ path: String) -> Bool {
    guard path.hasSuffix(".sbz"), let map = try? MappedFile.checkpoint(path) else { return false }
    // Its bytes are read as long as it is mapped.
    return withExtendedLifetime(map) { (try? SeekTable(map.bytes, file: path)) != nil }
  }
}
