public import Checkpoints
import Foundation
import StrictJSON
import TensorTypes

/// Writes a planned checkpoint: tensors are produced block by block at their final place, every
/// file is hashed while it is written, and the directory appears only when all is synced.
public struct CheckpointExecutor {
  /// Bytes of a tensor held at a time. Large enough for full disk speed, small beside any limit.
  public static let block = 8 << 20

  /// What to write.
  public let plan: CheckpointPlan
  /// The program, as the manifest records it.
  public let tool: Manifest.Tool
  private let layout: any TensorFiles

  /// An executor of `plan`; decides the files.
  public init(_ plan: CheckpointPlan, tool: Manifest.Tool) throws {
    self.plan = plan
    self.tool = tool
    layout = try plan.format.init(plan)
  }

  /// The files that hold tensors, with their sizes in bytes.
  public var files: [(name: String, bytes: Int)] { layout.files }

  /// Bytes of all files that hold tensors.
  public var fileBytes: Int { files.reduce(0) { $0 + $1.bytes } }

  /// Writes the checkpoint to the directory `output`.
  ///
  /// - Parameters:
  ///   - inputs: paths that the plan reads, which the output must not replace.
  ///   - progress: called with the tensor bytes done, of `plan.byteCount`.
  public func run(
    to output: String, mode: OutputDirectory.Mode, inputs: [String],
    progress: (Int) -> Void = { _ in }
  ) throws {
    let directory = try OutputDirectory(
      begin: output, fingerprint: fingerprint(inputs: inputs), resume: mode.resume,
      force: mode.force, inputs: inputs)
    try directory.orAbandon {
      try write(to: directory, progress: progress)
    }
  }

  /// Whether `output` is there already, made from the same source by the same recipe and version.
  public func isComplete(at output: String) -> Bool {
    guard let manifest = try? Manifest(directory: output) else { return false }
    let own = self.manifest(files: manifest.files)
    return manifest.tool == own.tool && manifest.source == own.source
      && manifest.recipe == own.recipe && manifest.tensors == own.tensors
  }

  /// Writes the checkpoint to a directory that was begun before and commits it.
  public func write(to directory: OutputDirectory, progress: (Int) -> Void = { _ in }) throws {
    try checkDisk(directory)
    try writeFiles(to: directory, progress: progress)
    try directory.commit()
  }

  private func writeFiles(to directory: OutputDirectory, progress: (Int) -> Void) throws {
    let finished = Set(directory.finishedFiles.map(\.name))
    let transforms = transforms
    var done = 0
    for (number, planned) in layout.files.enumerated() {
      if finished.contains(planned.name) {
        done += layout.tensors.reduce(0) { $0 + ($1.file == planned.name ? $1.byteCount : 0) }
        progress(done)
        continue
      }
      let file = try directory.file(named: planned.name)
      try layout.write(number, to: file) { stored, observe in
        try produce(stored, transforms[stored.name], into: file, observe: observe) { count in
          done += count
          progress(done)
        }
      }
      _ = try file.finish()
    }
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
      try transform?.produce(block: Self.block) { bytes in
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
    var files = [("config.json", Array(JSONValue.object(plan.configuration).pretty.utf8))]
    files += layout.indexes
    for companion in plan.companions {
      switch companion.content {
      case .text(let text): files.append((companion.name, Array(text.utf8)))
      case .copy(let path):
        guard let data = FileManager.default.contents(atPath: path) else {
          throw ConversionError.unreadable(path: path)
        }
        files.append((companion.name, Array(data)))
      }
    }
    return files
  }

  private func manifest(files: [FileRecord]) -> Manifest {
    let transforms = transforms
    var recipe = plan.recipe
    recipe["notes"] = .array(plan.notes.map { .string($0) })
    if !plan.measurements.members.isEmpty { recipe["measured"] = .object(plan.measurements) }
    return Manifest(
      tool: tool, source: .object(plan.source), recipe: .object(recipe), files: files,
      tensors: layout.tensors.map { stored in
        Manifest.Tensor(
          stored: stored,
          origin: .init(
            tensors: transforms[stored.name]?.sources ?? [],
            transform: transforms[stored.name]?.summary ?? ""))
      })
  }

  /// What determines the output: a run is resumed only when all of it is the same.
  private func fingerprint(inputs: [String]) -> [String: String] {
    let source = JSONValue.object(plan.source).compact + " " + FileIdentity.of(inputs)
    let tensors = plan.tensors.map {
      "\($0.name) \($0.shape) \($0.type.rawValue) \($0.transform.summary) \($0.transform.sources)"
    }
    func hash(_ text: String) -> String { SHA256.hash(Array(text.utf8)).hex }
    return [
      "version": tool.version, "source": hash(source),
      "recipe": hash(JSONValue.object(plan.recipe).compact),
      "tensors": hash(tensors.joined(separator: "\n")),
    ]
  }

  /// Refuses to start what cannot be finished.
  private func checkDisk(_ directory: OutputDirectory) throws {
    let written = directory.finishedFiles.reduce(0) { $0 + $1.bytes }
    let attributes = try? FileManager.default.attributesOfFileSystem(
      forPath: directory.partialPath)
    guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.intValue else { return }
    let needed = fileBytes - written
    if needed > free {
      throw ConversionError.notEnoughDisk(path: directory.path, needed: needed, free: free)
    }
  }
}
