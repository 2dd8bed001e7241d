public import Checkpoints
public import Communication
import StrictJSON
import TensorTypes

/// Writes a planned checkpoint: tensors are produced block by block at their final place, every
/// file is hashed while it is written, and the directory appears only when all is synced.
///
/// Several ranks write different files; the bytes do not depend on how many there are.
public struct CheckpointExecutor {
  /// Bytes of a tensor held at a time. Large enough for full disk speed, small beside any limit.
  public static let block = 8 << 20

  /// What to write.
  public let plan: CheckpointPlan
  /// The program, as the manifest records it.
  public let tool: Manifest.Tool
  private let layout: any TensorFiles
  private let ranks: Communicator

  /// An executor of `plan`; decides the files. All `ranks` have the same plan.
  public init(_ plan: CheckpointPlan, tool: Manifest.Tool, ranks: Communicator = .single) throws {
    self.plan = plan
    self.tool = tool
    self.ranks = ranks
    layout = try plan.format.init(plan)
  }

  /// The files that hold tensors, with their sizes in bytes.
  public var files: [(name: String, bytes: Int)] { layout.files }

  /// Bytes of all files that hold tensors.
  public var fileBytes: Int { files.reduce(0) { $0 + $1.bytes } }

  /// Writes the checkpoint to a directory that was begun before and commits it.
  public func write(to directory: OutputDirectory, progress: (Int) -> Void = { _ in }) throws {
    try ranks.together {
      if ranks.isFirst { try requireSpace(in: directory) }
    }
    try ranks.together {
      try writeTensors(to: directory, progress: progress)
      try directory.requireSameInputs()
    }
    try directory.collect(over: ranks)
    try ranks.together {
      guard ranks.isFirst else { return }
      try writeSmallFiles(to: directory)
      try directory.commit()
    }
  }

  /// Writes this rank's share of the files that are not there yet.
  private func writeTensors(to directory: OutputDirectory, progress: (Int) -> Void) throws {
    let finished = Set(directory.finishedFiles.map(\.name))
    let left = layout.files.enumerated().filter { !finished.contains($1.name) }
    let shares = WorkShares(left.map(\.element.bytes), ranks: ranks.size)
    let transforms = transforms
    let done = layout.tensors.reduce(0) { $0 + (finished.contains($1.file) ? $1.byteCount : 0) }
    // What all ranks write while this one writes a byte.
    let pace = Double(shares.totals.reduce(0, +)) / Double(max(1, shares.totals[ranks.rank]))
    if done > 0 { progress(done) }
    var own = 0
    for ((number, planned), owner) in zip(left, shares.owners) where owner == ranks.rank {
      let file = try directory.file(named: planned.name)
      try layout.write(number, to: file) { stored, observe in
        try file.tensor(stored.name) {
          try produce(stored, transforms[stored.name], into: file, observe: observe) { count in
            own += count
            progress(done + Int(pace * Double(own)))
          }
        }
      }
      _ = try file.finish()
    }
  }

  /// Writes what lies beside the tensors; the manifest last.
  private func writeSmallFiles(to directory: OutputDirectory) throws {
    let finished = Set(directory.finishedFiles.map(\.name))
    for (name, bytes) in try smallFiles() where !finished.contains(name) {
      try directory.write(bytes, to: name)
    }
    if !finished.contains(Manifest.fileName) {
      // Files of an earlier run are listed first when resuming; the manifest has one order.
      let records = directory.finishedFiles.sorted { $0.name < $1.name }
      let manifest = manifest(files: records)
      try directory.write(Array(manifest.json.pretty.utf8), to: Manifest.fileName)
    }
  }

  /// Appends the bytes of one tensor to `file`; `progress` is told of each block.
  private func produce(
    _ stored: StoredTensor, _ transform: (any TensorTransform)?, into file: OutputFile,
    observe: ((UnsafeRawBufferPointer) -> Void)?, progress: (Int) -> Void
  ) throws {
    if let hole = transform as? HoleTransform, observe == nil {
      try file.writeHole(hole.byteCount)
      progress(hole.byteCount)
    } else {
      var finite = FiniteBytes(of: stored)
      try transform?.produce(block: Self.block) { bytes in
        try finite.check(bytes, madeBy: transform)
        try file.write(bytes)
        observe?(bytes)
        progress(bytes.count)
      }
    }
    guard file.bytesWritten == stored.end else {
      throw ConversionError.wrongSize(
        tensor: stored.name, expected: stored.end, got: file.bytesWritten)
    }
  }

  private var transforms: [String: any TensorTransform] {
    Dictionary(uniqueKeysWithValues: plan.tensors.map { ($0.name, $0.transform) })
  }

  /// Configuration, index and companions, in a fixed order.
  private func smallFiles() throws -> [(name: String, bytes: [UInt8])] {
    guard !plan.format.areComplete else { return layout.indexes }
    var files = [("config.json", Array(JSONValue.object(plan.configuration).pretty.utf8))]
    files += layout.indexes
    return try files + plan.companions.map { ($0.name, try $0.bytes) }
  }

  private func manifest(files: [FileRecord]) -> Manifest {
    let transforms = transforms
    var recipe = plan.recipe
    recipe["notes"] = .array(plan.notes.map { .string($0) })
    if !plan.measurements.members.isEmpty { recipe["measured"] = .object(plan.measurements) }
    let digests = Dictionary(
      files.map { ($0.name, $0.tensors) }, uniquingKeysWith: { first, _ in first })
    return Manifest(
      tool: tool, source: .object(plan.source), recipe: .object(recipe), files: files,
      tensors: layout.tensors.compactMap { stored in
        transforms[stored.name].map {
          .init(
            stored: stored, origin: .init(tensors: $0.sources, transform: $0.record),
            sha256: digests[stored.file]?[stored.name])
        }
      })
  }

  /// Throws when the disk has no room for what is still to be written to `directory`: what cannot be
  /// finished is not started.
  ///
  /// - Parameter workspace: bytes of files of the run's own beside the output.
  public func requireSpace(in directory: OutputDirectory, workspace: Int = 0) throws {
    guard let free = FileStatus.freeBytes(at: directory.partialPath) else { return }
    let written = directory.finishedFiles.reduce(0) { $0 + $1.bytes }
    let needed = fileBytes - written + workspace
    if needed > free {
      throw ConversionError.notEnoughDisk(path: directory.path, needed: needed, free: free)
    }
  }
}
