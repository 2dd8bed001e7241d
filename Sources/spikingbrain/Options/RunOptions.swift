import Architectures
import ArgumentParser
import Kernels
import ModelFiles
import Runtime
import TensorTypes
import Tokenization

/// Least memory a run can be bounded to: the program, its buffers and one block of weights.
let minimumMemory = 256 << 20

extension LimitOptions {
  /// Applies `--jobs` and refuses a `--max-ram` below the minimum.
  func apply() throws {
    if let maxRam, maxRam.bytes < minimumMemory {
      throw LimitError.memoryTooSmall(limit: maxRam, minimum: ByteSize(minimumMemory))
    }
    if let jobs { Parallel.threadCount = jobs }
  }

  /// Whether weights of `bytes` bytes stay in memory or pass through layer by layer.
  func residency(forWeights bytes: Int) -> Model.Residency {
    guard let maxRam else { return .whole }
    return bytes > maxRam.bytes / 2 ? .bounded(bytes: maxRam.bytes) : .whole
  }
}

/// Why the limits of a run cannot be kept.
enum LimitError: ReportableError {
  case memoryTooSmall(limit: ByteSize, minimum: ByteSize)

  var what: String {
    switch self {
    case .memoryTooSmall(let limit, _):
      "--max-ram \(limit.exact) is too small; the least is \(ByteSize(minimumMemory).exact)"
    }
  }
}

/// A checkpoint opened to run it.
struct RunnableModel {
  let file: ModelFile
  var model: Model

  /// Opens the checkpoint at `path`, checks its structure and prepares it for running.
  init(_ path: String, limits: LimitOptions? = nil) throws {
    try limits?.apply()
    file = try ModelFile.open(path)
    try file.requireSound()
    model = try Model(
      file.description, weights: file,
      residency: limits?.residency(forWeights: file.byteCount) ?? .whole)
  }
}
