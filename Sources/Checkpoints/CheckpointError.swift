public import HDF5
public import StrictJSON
public import TensorTypes

/// What is wrong with a checkpoint or its files: each case carries the facts, and
/// `CheckpointError+Wording.swift` words them.
public enum CheckpointError: ReportableError, Equatable {
  // Files.
  case system(file: String, operation: FileOperation, errno: Int32)
  case isDirectory(file: String)
  case notRegularFile(file: String)
  case emptyFile(file: String)
  case placeholder(file: String, Placeholder)
  case invalidFileName(file: String, name: String)
  case writeFailed(file: String, errno: Int32, bytesWritten: Int, isResumable: Bool)
  case changedWhileRead(file: String)

  // Finding a checkpoint.
  case checkpointNotFound(path: String, lookedFor: [String], found: [String])
  case ambiguousCheckpoint(path: String, candidates: [String])
  case formatNotSupported(path: String, format: String)
  case noModel(path: String, what: String, advice: String)
  case incompleteShards(path: String, index: String, missing: [String])
  case unrecognisedFile(path: String)
  case noSuchTensor(file: String, tensor: String, nearest: String? = nil)

  // Any format.
  case truncated(file: String, part: String, expected: Int, got: Int)
  case trailingBytes(file: String, expected: Int, got: Int)
  case duplicateTensor(tensor: String, first: String, second: String)
  case unsupportedType(file: String, tensor: String, type: String)
  case sizeOverflow(file: String, tensor: String, shape: Shape, type: ScalarType)
  case notJSON(file: String, reason: JSONError)
  case overlap(file: String, tensor: String, offset: Int, previous: String, previousEnd: Int)
  case limitExceeded(file: String, quantity: String, limit: Int, got: UInt64)

  // Safetensors.
  case headerStart(file: String, got: UInt8)
  case headerField(file: String, field: String, expected: String)
  case sizeMismatch(
    file: String, tensor: String, shape: Shape, type: ScalarType, expected: Int, got: Int)
  case gap(file: String, tensor: String, offset: Int, expected: Int)
  case missingShards(index: String, files: [String])
  case notWritable(tensor: String, type: ScalarType)

  // PyTorch.
  case malformed(file: String, format: String, offset: Int, reason: String)
  case pickledName(file: String, name: String, offset: Int, kind: ForeignName)
  case checksum(file: String, part: String)

  // GGUF.
  case notGGUF(file: String, magic: [UInt8])
  case ggufVersion(file: String, got: UInt32)
  case ggufValue(file: String, key: String, offset: Int, reason: String)
  case ggufText(file: String, part: String, offset: Int)
  case ggufAlignment(file: String, got: String)
  case misaligned(file: String, tensor: String, offset: UInt64, alignment: Int)
  case splitFile(file: String, count: Int)
  case splitField(file: String, key: String, expected: Int, got: Int?)
  case nameTooLong(tensor: String, limit: Int)

  // HDF5.
  case hdf5(HDF5Error)

  // Output.
  case outputExists(path: String)
  /// Something is there that this program did not write, or not alone.
  case outputForeign(path: String, reason: String)
  /// It is finished, and by the facts in `differences`, as far as they are known, not what was asked for.
  case outputDiffers(path: String, differences: [FingerprintDifference] = [])
  case outputInTheWay(path: String)
  case outputNotReplaceable(path: String, reason: String)
  case partialExists(path: String)
  case partialInUse(path: String)
  case fingerprintDiffers(path: String, differences: [FingerprintDifference])
  case journal(file: String, line: Int, reason: String)
  case unfinishedFiles(path: String, files: [String])
  case alreadyWritten(path: String, file: String)

  // Manifest.
  case manifestField(file: String, field: String, expected: String)
  case manifestChanged(file: String)

  /// What was being done to a file when the system refused.
  public enum FileOperation: String, Sendable {
    case open, read, inspect, map, list, create, lock, sync, rename, remove
  }
}

/// One way in which an interrupted conversion differs from the one that wants to continue it.
public struct FingerprintDifference: Sendable, Equatable {
  /// What differs, for example `source`.
  public var key: String
  /// The value recorded in the journal, or nil when it had none.
  public var recorded: String?
  /// The value now, or nil when there is none.
  public var current: String?

  /// A difference of what is called `key`.
  package init(key: String, recorded: String?, current: String?) {
    (self.key, self.recorded, self.current) = (key, recorded, current)
  }
}
