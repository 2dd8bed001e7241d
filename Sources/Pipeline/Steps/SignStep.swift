import Checkpoints
public import Foundations
import InputFiles
import StrictJSON

/// `sign`: says who stands for a checkpoint.
public enum SignStep {
  /// Why a checkpoint is not signed.
  public enum Failure: ReportableError {
    case noManifest(directory: String)
    case differs(directory: String, String)

    public var what: String {
      switch self {
      case .noManifest: "has no \(Manifest.fileName), which is what is signed"
      case .differs(_, let mismatch): "is not what its manifest says: \(mismatch)"
      }
    }

    public var location: String? {
      switch self {
      case .noManifest(let directory), .differs(let directory, _): directory
      }
    }

    public var exitCode: Int32 {
      switch self {
      case .noManifest: 2
      case .differs: 1
      }
    }
  }

  /// Signs the manifest of `directory` by the private key in the PEM file `key`, once every file has the
  /// digest that the manifest gives it: nobody is to stand for what was changed before.
  public static func run(_ directory: String, key: String, _ context: Context) throws -> Report {
    try context.limits.apply()
    guard Manifest.isPresent(in: directory) else { throw Failure.noManifest(directory: directory) }
    let path = RelativeName.join(directory, ManifestSignature.fileName)
    let pem = try InputFile.read(key, limit: ManifestSignature.keyByteLimit)
    let bytes = try Manifest.bytes(in: directory)
    let manifest = try Manifest(directory: directory)
    // The key, and whether there is room for the signature, before everything is read.
    let signature = try ManifestSignature.sign(bytes, with: pem, of: key)
    try AtomicFile.checkReplaceable(path, force: context.mode.force)
    let total = manifest.files.reduce(0) { $0 + $1.bytes }
    let progress = context.progress("comparing \(directory)", unit: .bytes)
    var done = 0
    let mismatches = try manifest.verifyFiles(in: directory) {
      done += $0
      progress.update(done: done, total: total)
    }
    progress.finish()
    if let first = mismatches.first {
      throw Failure.differs(directory: directory, first.description)
    }
    let file = try AtomicFile(path: path, force: context.mode.force)
    try file.write(signature)
    try file.commit()
    return Report(
      json: ["signature": .string(path), "files": .int(manifest.files.count)],
      text: "signed \(counted(manifest.files.count, "file")) of \(directory): \(path)")
  }
}
