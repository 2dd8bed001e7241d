public import Checkpoints
public import Communication

extension OutputDirectory {
  /// Starts or continues writing the directory `path` with all ranks: the first owns it, the others
  /// join. The parameters are those of `init(begin:)`.
  ///
  /// Throws also when a rank finds other inputs than the first.
  public static func begin(
    _ path: String, fingerprint: [String: String], mode: Mode, inputs: [String],
    ranks: Communicator
  ) throws -> OutputDirectory {
    var own: OutputDirectory?
    do {
      let begun = try ranks.first {
        let directory = try OutputDirectory(
          begin: path, fingerprint: fingerprint, resume: mode.resume, force: mode.force,
          inputs: inputs)
        own = directory
        return Begun(fingerprint: fingerprint, finished: directory.finishedFiles)
      }
      return try ranks.together {
        if let own { return own }
        guard fingerprint == begun.fingerprint else {
          throw ConversionError.otherInputs(path: path, differing: begun.differing(fingerprint))
        }
        return try OutputDirectory(
          join: path, part: ranks.rank, fingerprint: fingerprint, finished: begun.finished,
          inputs: inputs)
      }
    } catch {
      own?.abandon()
      throw error
    }
  }

  /// Collects at the first rank what all ranks have finished; the others write nothing more.
  func collect(over ranks: Communicator) throws {
    let records = try ranks.all(finishedFiles)
    if ranks.isFirst {
      for part in records.dropFirst() { try adopt(part) }
    } else {
      endPart()
    }
  }
}

/// What the first rank tells the others of a directory.
private struct Begun: Codable {
  var fingerprint: [String: String]
  var finished: [FileRecord]

  /// What a rank found otherwise, by name.
  func differing(_ other: [String: String]) -> [String] {
    Set(fingerprint.keys).union(other.keys).filter { fingerprint[$0] != other[$0] }.sorted()
  }
}
