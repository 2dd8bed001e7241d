import StrictJSON

extension Manifest {
  /// A file of a directory that is not what the manifest says.
  public enum Mismatch: Sendable, Equatable, CustomStringConvertible {
    case missing(name: String, expectedBytes: Int)
    case unreadable(name: String, reason: String)
    case size(name: String, expected: Int, got: Int)
    /// - Parameter tensors: those whose bytes differ; nil where the manifest has no digests of them.
    case digest(name: String, expected: SHA256Digest, got: SHA256Digest, tensors: [String]?)
    /// A file that the manifest does not list.
    case extra(name: String)
    /// The same, where one is listed whose name is another Unicode form of this one.
    case lookalike(name: String)

    /// The file concerned.
    public var name: String {
      switch self {
      case .missing(let name, _), .unreadable(let name, _), .size(let name, _, _),
        .digest(let name, _, _, _), .extra(let name), .lookalike(let name):
        name
      }
    }

    /// One line for a report.
    public var description: String {
      switch self {
      case .missing(let name, let bytes): "\(name): missing (expected \(bytes) bytes)"
      case .unreadable(let name, let reason): "\(name): \(reason)"
      case .size(let name, let expected, let got):
        "\(name): expected \(expected) bytes, got \(got)"
      case .digest(let name, let expected, let got, let tensors):
        "\(name): expected SHA-256 \(expected), got \(got)" + Manifest.place(tensors)
      case .extra(OutputJournal.fileName):
        "\(OutputJournal.fileName): left by a run that was killed at its very end; the same command "
          + "with --resume removes it"
      case .extra(let name): "\(name): not in the manifest"
      case .lookalike(let name):
        "\(name): not in the manifest, which lists a name that looks the same and has other bytes"
      }
    }
  }

  private static func place(_ tensors: [String]?) -> String {
    guard let tensors else { return "" }
    guard !tensors.isEmpty else { return "; no tensor differs, something beside them does" }
    let shown = tensors.prefix(3).joined(separator: ", ")
    let more = tensors.count > 3 ? " and \(tensors.count - 3) more" : ""
    return "; different: \(shown)\(more)"
  }

  /// Compares the files of `directory` with the manifest: sizes first, then hashes of the files
  /// whose size is right, then files that are not listed. `progress` is told of the bytes hashed.
  ///
  /// - Parameter chosen: which of the listed files to look at.
  public func verifyFiles(
    in directory: String, progress: (Int) -> Void = { _ in },
    chosen: (FileRecord) -> Bool = { _ in true }
  ) throws(CheckpointError) -> [Mismatch] {
    var mismatches: [Mismatch] = []
    // By bytes: what Swift takes for the same text may be the names of two files.
    let present = Set(try FileStatus.files(below: directory).map { ExactKey(text: $0) })
    for record in files where chosen(record) {
      let path = RelativeName.join(directory, record.name)
      guard present.contains(ExactKey(text: record.name)) else {
        mismatches.append(.missing(name: record.name, expectedBytes: record.bytes))
        continue
      }
      if let mismatch = mismatch(record, path: path, progress: progress) {
        mismatches.append(mismatch)
      }
    }
    let listed = Set((files.map(\.name) + Manifest.ownNames).map { ExactKey(text: $0) })
    let looks = Set(listed.map(\.text))
    mismatches += present.subtracting(listed).map(\.text).sorted().map {
      looks.contains($0) ? .lookalike(name: $0) : .extra(name: $0)
    }
    return mismatches
  }

  /// The listed files of `directory` that are others than they were, by size or hash.
  ///
  /// - Parameter budget: bytes that are hashed at most, smaller files first. What this process has
  ///   hashed before is not read again.
  package func changedFiles(
    in directory: String, hashing budget: Int
  ) throws(CheckpointError) -> [String] {
    var left = budget
    var changed: [String] = []
    for record in files.sorted(by: { ($0.bytes, $0.name) < ($1.bytes, $1.name) }) {
      let path = RelativeName.join(directory, record.name)
      if FileStatus.size(path) != record.bytes {
        changed.append(record.name)
      } else if record.bytes <= left {
        left -= record.bytes
        if try FileDigests.digest(of: path) != record.sha256 { changed.append(record.name) }
      }
    }
    return changed.sorted()
  }

  private func mismatch(
    _ record: FileRecord, path: String, progress: (Int) -> Void
  ) -> Mismatch? {
    do throws(CheckpointError) {
      guard let size = FileStatus.size(path) else {
        throw .notRegularFile(file: path)
      }
      guard size == record.bytes else {
        return .size(name: record.name, expected: record.bytes, got: size)
      }
      let (bytes, digest) = try SHA256.hashFile(path, progress: progress)
      if bytes != record.bytes {
        return .size(name: record.name, expected: record.bytes, got: bytes)
      }
      return digest == record.sha256
        ? nil
        : .digest(
          name: record.name, expected: record.sha256, got: digest,
          tensors: try changedTensors(of: record.name, path: path))
    } catch {
      return .unreadable(name: record.name, reason: error.what)
    }
  }

  /// The tensors of a file at `path` whose bytes are not those of the manifest, in their order; nil where
  /// it has no digests of them.
  private func changedTensors(
    of file: String, path: String
  ) throws(CheckpointError) -> [String]? {
    let own = tensors.filter { $0.stored.file == file }
      .sorted { $0.stored.order < $1.stored.order }
    guard own.contains(where: { $0.sha256 != nil }) else { return nil }
    var changed: [String] = []
    for tensor in own {
      let place = tensor.stored.offset..<tensor.stored.end
      if let digest = tensor.sha256, try SHA256.hashFile(path, bytes: place).digest != digest {
        changed.append(tensor.stored.name)
      }
    }
    return changed
  }
}
