public import Foundations
import Glibc
public import HDF5
public import StrictJSON
public import TensorTypes

/// What is wrong with a checkpoint or its files: each case carries the facts.
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

  /// What to do with an adapter that is not part of a model.
  package static let mergeAdvice =
    "give its base model, and the adapter as --lora DIR (convert, export); or merge it in PEFT "
    + "(merge_and_unload), and give the result"

  public var what: String {
    switch self {
    case .system(_, let operation, let code): "cannot \(operation.rawValue): \(systemText(code))"
    case .isDirectory: "is a directory, not a file"
    case .notRegularFile: "is not a regular file"
    case .emptyFile: "is empty"
    case .placeholder(_, let placeholder): placeholder.text
    case .invalidFileName(_, let name):
      "\"\(name)\" is not the name of a file inside this directory"
    case .writeFailed(_, let code, let written, _):
      "writing failed after \(written) bytes: \(systemText(code))"
    case .changedWhileRead: "changed while it was read, so nothing made from it was kept"

    case .checkpointNotFound(_, let lookedFor, let found):
      "holds no checkpoint: looked for \(list(lookedFor))"
        + (found.isEmpty ? "" : "; found \(list(found))")
    case .ambiguousCheckpoint(_, let candidates):
      "holds several checkpoints: \(list(candidates))"
    case .formatNotSupported(_, let format): "is a \(format) checkpoint; this is not supported yet"
    case .noModel(_, let what, _): what
    case .incompleteShards(_, let index, let missing):
      "holds shards without \(index), and not all of them: \(list(missing)) "
        + (missing.count == 1 ? "is" : "are") + " missing"
    case .unrecognisedFile: "is no checkpoint file that this program knows"
    case .noSuchTensor(_, let tensor, let nearest):
      "holds no tensor \(tensor)" + (nearest.map { "; did you mean \($0)?" } ?? "")

    case .truncated(_, let part, let expected, let got):
      "is truncated (\(part)): expected \(expected) bytes, got \(got), \(expected - got) missing"
    case .trailingBytes(_, let expected, let got):
      "continues after the last tensor: expected \(expected) bytes, got \(got)"
    case .duplicateTensor(let tensor, let first, let second):
      "tensor \(tensor) is stored twice" + (first == second ? "" : ", in \(first) and in \(second)")
    case .unsupportedType(_, let tensor, let type):
      "tensor \(tensor) has type \(type), which is not supported"
    case .sizeOverflow(_, let tensor, let shape, let type):
      "tensor \(tensor) has an impossible size: shape \(shape) of \(type.storedName)"
        + (type.isQuantised ? ", stored in blocks of \(type.blockElements) along a row" : "")
    case .overlap(_, let tensor, let offset, let previous, let previousEnd):
      "tensor \(tensor) starts at byte \(offset), inside \(previous), which ends at \(previousEnd)"
    case .limitExceeded(_, let quantity, let limit, let got):
      "\(quantity) is \(got), the limit is \(limit)"

    case .headerStart(_, let got):
      "the header must start with '{' (byte 123), found byte \(got)"
    case .notJSON(_, let reason): reason.what
    case .headerField(_, let field, let expected), .manifestField(_, let field, let expected):
      "\(field): expected \(expected)"
    case .sizeMismatch(_, let tensor, let shape, let type, let expected, let got):
      "tensor \(tensor), shape \(shape) of \(type.storedName), takes \(expected) bytes,"
        + " but its offsets span \(got)"
    case .gap(_, let tensor, let offset, let expected):
      "tensor \(tensor) starts at byte \(offset), leaving a gap: expected \(expected)"
    case .missingShards(_, let files): "names files that do not exist: \(list(files))"
    case .notWritable(let tensor, let type):
      "tensor \(tensor) has type \(type.storedName), which files of this format cannot hold"

    case .malformed(_, let format, let offset, let reason):
      "is no sound \(format) at byte \(offset): \(reason)"
    case .pickledName(_, let name, let offset, let kind): kind.what(name, offset: offset)
    case .checksum(_, let part): "\(part) has another checksum than the archive says: it is damaged"

    case .notGGUF(_, let magic): "is not a GGUF file: it starts with bytes \(magic)"
    case .ggufVersion(_, let got):
      got.byteSwapped == 2 || got.byteSwapped == 3
        ? "is a big-endian GGUF file, which is not supported"
        : "has GGUF version \(got); versions 2 and 3 are supported"
    case .ggufValue(_, let key, let offset, let reason):
      "metadata \(key) at byte \(offset): \(reason)"
    case .ggufText(_, let part, let offset): "\(part) at byte \(offset) is not valid UTF-8"
    case .ggufAlignment(_, let got): "general.alignment must be a power of two, got \(got)"
    case .misaligned(_, let tensor, let offset, let alignment):
      "tensor \(tensor) starts at offset \(offset), which is no multiple of \(alignment)"
    case .splitFile(_, let count): "is one part of a GGUF model split into \(count) files"
    case .splitField(_, let key, let expected, let got):
      "metadata \(key): expected \(expected), got \(got.map(String.init) ?? "none")"
    case .nameTooLong(let tensor, let limit):
      "tensor \(tensor) has a name of more than \(limit) bytes"
    case .hdf5(let error): error.what

    case .outputExists: "already exists"
    case .outputForeign(_, let reason): "already exists, and \(reason)"
    case .outputDiffers(_, []):
      "already exists, and was not made by this command from these inputs as they are now"
    case .outputDiffers(_, let differences):
      "already exists, and was made differently: \(list(differences))"
    case .outputInTheWay:
      "appeared while the output was written, so it was not moved there"
    case .outputNotReplaceable(_, let reason): "cannot be replaced: \(reason)"
    case .partialExists: "is left from an interrupted run"
    case .partialInUse: "is being written by another process"
    case .fingerprintDiffers(_, let differences):
      "was started differently and cannot be resumed: \(list(differences))"
    case .journal(_, let line, let reason): "line \(line): \(reason)"
    case .unfinishedFiles(_, let files): "has unfinished files: \(list(files))"
    case .alreadyWritten(_, let file): "\(file) is written twice"
    case .manifestChanged: "was changed after it was written: its own sha256 is another"
    }
  }

  public var location: String? {
    switch self {
    case .system(let file, _, _), .isDirectory(let file), .notRegularFile(let file),
      .emptyFile(let file), .placeholder(let file, _), .invalidFileName(let file, _),
      .writeFailed(let file, _, _, _), .changedWhileRead(let file), .manifestChanged(let file),
      .unrecognisedFile(let file), .noSuchTensor(let file, _, _), .truncated(let file, _, _, _),
      .trailingBytes(let file, _, _), .unsupportedType(let file, _, _),
      .sizeOverflow(let file, _, _, _), .overlap(let file, _, _, _, _),
      .limitExceeded(let file, _, _, _), .headerStart(let file, _), .notJSON(let file, _),
      .headerField(let file, _, _), .sizeMismatch(let file, _, _, _, _, _),
      .malformed(let file, _, _, _), .pickledName(let file, _, _, _), .checksum(let file, _),
      .gap(let file, _, _, _), .notGGUF(let file, _), .ggufVersion(let file, _),
      .ggufValue(let file, _, _, _), .ggufText(let file, _, _), .ggufAlignment(let file, _),
      .misaligned(let file, _, _, _), .splitFile(let file, _), .splitField(let file, _, _, _),
      .journal(let file, _, _),
      .manifestField(let file, _, _):
      file
    case .checkpointNotFound(let path, _, _), .ambiguousCheckpoint(let path, _),
      .formatNotSupported(let path, _), .noModel(let path, _, _),
      .incompleteShards(let path, _, _), .outputExists(let path), .outputForeign(let path, _),
      .outputDiffers(let path, _),
      .outputInTheWay(let path), .outputNotReplaceable(let path, _), .partialExists(let path),
      .partialInUse(let path), .fingerprintDiffers(let path, _), .unfinishedFiles(let path, _),
      .alreadyWritten(let path, _):
      path
    case .missingShards(let index, _): index
    case .duplicateTensor(_, let first, let second): first == second ? first : nil
    case .notWritable, .nameTooLong: nil
    case .hdf5(let error): error.location
    }
  }

  public var advice: String? {
    switch self {
    case .truncated, .checksum, .malformed(_, "archive", _, _): "download or copy the file again"
    case .missingShards, .incompleteShards: "download the missing files"
    case .noModel(_, _, let advice): advice
    case .writeFailed(_, ENOSPC, _, let isResumable), .writeFailed(_, EDQUOT, _, let isResumable):
      "free some space, then run the same command " + (isResumable ? "with --resume" : "again")
    case .writeFailed(_, EFBIG, _, let isResumable):
      "raise the file size limit (ulimit -f), then run the same command "
        + (isResumable ? "with --resume" : "again")
    case .changedWhileRead: "let nothing write to it, and run the same command again"
    case .pickledName(_, _, _, let kind): kind.advice
    case .checkpointNotFound(_, _, let found) where !found.isEmpty:
      "give the path of one of these files, beside which the model's config.json must lie"
    case .unrecognisedFile: "give the directory of a model, or one of its files of tensors"
    case .ambiguousCheckpoint: "give the path of one of them"
    case .splitFile: "give its first part, named …-00001-of-….gguf, with the others beside it"
    case .outputExists: "use --force to replace it"
    case .outputForeign: "choose another name; nothing that is not this program's own is replaced"
    case .outputDiffers: "choose another name, or use --force to replace it"
    case .outputInTheWay: "move it away, then run the same command with --resume"
    case .partialExists: "go on with --resume; --force would throw away what it has done"
    case .fingerprintDiffers:
      "use --resume with what it was started with, or --force to start again from nothing"
    case .journal: "look whether anything in its directory is of use, and remove that"
    case .hdf5(let error): error.advice
    case .manifestChanged: "make the checkpoint again, or restore the file"
    default: nil
    }
  }

  private func list(_ differences: [FingerprintDifference]) -> String {
    differences.map { difference in
      "\(difference.key) was \(difference.recorded ?? "absent"), "
        + "is \(difference.current ?? "absent")"
    }.joined(separator: "; ")
  }

  private func list(_ names: [String]) -> String {
    let shown = 8
    let more = names.count > shown ? " and \(names.count - shown) more" : ""
    return names.prefix(shown).joined(separator: ", ") + more
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
