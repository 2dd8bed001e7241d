package import ModelFiles

extension Context {
  /// Opens the checkpoint at `path`; what is to be known of how it is read is said.
  ///
  /// - Parameters:
  ///   - previous: the checkpoint that was opened before, in a run of several: what was left out when it
  ///     was made is left out of this one too.
  ///   - isLast: whether no other is opened after it; a pattern of tensors to be left out may match in any
  ///     of them, and has to in one.
  package func open(
    _ path: String, after previous: ModelFile? = nil, isLast: Bool = true
  ) throws -> ModelFile {
    let file = try opened(path, after: previous, isLast: isLast)
    for note in file.notes { self.note("note: \(note)") }
    return file
  }

  /// Opens what the checkpoint `previous` is compared with or learns from; what was left out is said.
  package func openOther(_ path: String, after previous: ModelFile) throws -> ModelFile {
    let file = try opened(path, after: previous)
    if let note = file.leftOut.note { self.note("note: \(note)") }
    return file
  }

  /// Opens the checkpoint at `path` and says nothing.
  func opened(
    _ path: String, after previous: ModelFile? = nil, isLast: Bool = true
  ) throws -> ModelFile {
    var file = try ModelFile.open(path)
      .leavingOut(ignoredTensors, recorded: previous?.ignoredTensors ?? [])
    if let previous {
      let before = previous.leftOut.unmatched
      file.keepUnmatched(where: before.contains)
    }
    if isLast, let pattern = file.leftOut.unmatched.first {
      throw ModelFileError.ignoredMatchesNothing(pattern: pattern, path: path)
    }
    return file
  }
}
