import Checkpoints

extension Archive {
  /// What reading the frames needs; made once for all files.
  typealias Pipeline = FramePipeline<FrameDecoder>

  /// A pipeline that uses approximately `memory` bytes.
  static func pipeline(memory: Int) -> Pipeline {
    Pipeline(slotBytes: ArchiveIndex.frameBytes, memory: memory, makeWorker: FrameDecoder.init)
  }

  /// Reads the file of the given number, or of its tensors only `tensor`, and calls `deliver` with
  /// the bytes in order, a frame at a time. Only the frames of what is asked for are touched.
  func read(
    file number: Int, tensor: String? = nil, through pipeline: Pipeline,
    deliver: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let file = index.files[number]
    let pieces = Array(file.parts.pieces.enumerated())
      .filter { tensor == nil || $0.element.part.tensor?.name == tensor }
      .map { (frame: firstFrames[number] + $0.offset, piece: $0.element) }
    try pipeline.run(pieces.count) { position, decoder, output in
      let (frame, piece) = pieces[position]
      do throws(FrameDecoder.Damage) {
        try decoder.decode(
          packed(frame), planes: piece.part.planes,
          into: UnsafeMutableRawBufferPointer(rebasing: output[..<piece.range.count]))
      } catch {
        throw CheckpointError.malformed(
          file: path, format: "archive", offset: frames[frame].offset,
          reason: "\(Archive.name(frame, piece, of: file)): \(error.reason)")
      }
      return piece.range.count
    } deliver: { position, bytes in
      try deliver(bytes)
      map.discard(packed(pieces[position].frame))
    }
  }

  /// Decodes everything and compares the digest of every file; writes nothing.
  ///
  /// - Parameters:
  ///   - memory: bytes that may be used, approximately.
  ///   - progress: told how many bytes are done.
  public func check(memory: Int, progress: (Int) -> Void = { _ in }) throws {
    let pipeline = Archive.pipeline(memory: memory)
    var done = 0
    for (number, file) in index.files.enumerated() {
      var hash = SHA256()
      try read(file: number, through: pipeline) { bytes in
        hash.update(bytes)
        done += bytes.count
        progress(done)
      }
      try compare(hash.finish(), with: file.record)
    }
  }

  /// Throws when `digest` is not that of the packed file.
  func compare(_ digest: SHA256Digest, with record: FileRecord) throws(CheckpointError) {
    guard digest == record.sha256 else { throw .checksum(file: path, part: record.name) }
  }

  private func packed(_ frame: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: map.bytes[frames[frame].range])
  }
}
