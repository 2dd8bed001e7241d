public import Checkpoints
import Foundations

extension Archive {
  /// Restores the directory at `output`, which appears when every file has been compared with its
  /// digest and is on disk.
  ///
  /// - Parameters:
  ///   - memory: bytes that may be used, approximately.
  ///   - progress: told how many bytes are done.
  public func unpack(
    to output: String, mode: OutputDirectory.Mode = .init(), memory: Int,
    progress: (Int) -> Void = { _ in }
  ) throws {
    try write(to: output, mode: mode, fingerprint: ["archive": digest.hex]) { directory in
      let finished = Set(directory.finishedFiles)
      var done = finished.reduce(0) { $0 + $1.bytes }
      try checkSpace(at: directory.partialPath, bytes: index.bytes - done)
      let pipeline = Archive.pipeline(memory: memory)
      for (number, packed) in index.files.enumerated() where !finished.contains(packed.record) {
        let file = try directory.file(named: packed.record.name)
        try read(file: number, through: pipeline) { bytes in
          try file.write(bytes)
          done += bytes.count
          progress(done)
        }
        _ = try file.finish { (written) throws(CheckpointError) in
          try compare(written.sha256, with: packed.record)
        }
      }
    }
  }

  /// Whether `output` is what `unpack` restores, with every digest, and nothing else.
  public func isUnpacked(at output: String) throws -> Bool {
    try OutputDirectory.isComplete(output, records: index.files.map(\.record))
  }

  /// Whether `output` is what `extract` writes of the tensor `name`, and nothing else.
  public func isExtracted(_ name: String, at output: String, memory: Int) throws -> Bool {
    let (number, tensor) = try find(name)
    let header = try header(of: tensor)
    var hash = SHA256()
    header.bytes.withUnsafeBytes { hash.update($0) }
    try read(file: number, tensor: name, through: Archive.pipeline(memory: memory)) {
      hash.update($0)
    }
    return try OutputDirectory.isComplete(
      output,
      records: [
        FileRecord(
          name: SafetensorsCheckpoint.singleName, bytes: header.fileBytes, sha256: hash.finish())
      ])
  }

  private func header(of tensor: ArchiveIndex.Tensor) throws -> SafetensorsHeader {
    try SafetensorsHeader(
      file: SafetensorsCheckpoint.singleName,
      entries: [.init(name: tensor.name, type: tensor.type, shape: tensor.shape)])
  }

  /// Writes the tensor `name` to `model.safetensors` in a new directory `output`, reading nothing
  /// of the archive but its index and the frames of this tensor.
  public func extract(
    _ name: String, to output: String, mode: OutputDirectory.Mode = .init(), memory: Int
  ) throws {
    let (number, tensor) = try find(name)
    let header = try header(of: tensor)
    let fingerprint = ["archive": digest.hex, "tensor": name]
    try write(to: output, mode: mode, fingerprint: fingerprint) { directory in
      guard directory.finishedFiles.isEmpty else { return }
      try checkSpace(at: directory.partialPath, bytes: header.fileBytes)
      let file = try directory.file(named: SafetensorsCheckpoint.singleName)
      try file.write(header.bytes)
      try read(file: number, tensor: name, through: Archive.pipeline(memory: memory)) { bytes in
        try file.write(bytes)
      }
      _ = try file.finish()
    }
  }

  /// The tensor called `name` and the number of its file.
  public func find(
    _ name: String
  ) throws(CheckpointError) -> (file: Int, tensor: ArchiveIndex.Tensor) {
    var found: (file: Int, tensor: ArchiveIndex.Tensor)?
    for (number, file) in index.files.enumerated() {
      for case .some(let tensor) in file.parts.map(\.tensor) where tensor.name == name {
        if let found {
          throw .duplicateTensor(
            tensor: name, first: index.files[found.file].record.name, second: file.record.name)
        }
        found = (number, tensor)
      }
    }
    guard let found else {
      let names = index.files.flatMap(\.parts).compactMap(\.tensor?.name)
      throw .noSuchTensor(
        file: path, tensor: name, nearest: NearestName.of(name, among: names))
    }
    return found
  }

  private func write(
    to output: String, mode: OutputDirectory.Mode, fingerprint: [String: String],
    _ body: (OutputDirectory) throws -> Void
  ) throws {
    let directory = try OutputDirectory(
      begin: output, fingerprint: fingerprint, resume: mode.resume, force: mode.force,
      inputs: [path])
    try directory.orAbandon {
      try body(directory)
      try directory.commit()
    }
  }

  /// An archive may be a ten-thousandth of what it unpacks to: what cannot fit is not begun.
  private func checkSpace(at path: String, bytes: Int) throws(CheckpointError) {
    guard let free = FileStatus.freeBytes(at: path), free < bytes else { return }
    throw .limitExceeded(
      file: path, quantity: "size unpacked, limited by the free space,", limit: free,
      got: UInt64(bytes))
  }
}
