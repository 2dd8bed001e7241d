import Checkpoints

extension Archive {
  /// Whether the file at `path` is one, by its name and its seek table.
  public static func isArchive(_ path: String) -> Bool {
    path.hasSuffix(".sbz")
      && (try? SeekTable(MappedFile.checkpoint(path).bytes, file: path)) != nil
  }
}
