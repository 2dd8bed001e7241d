public import StrictJSON

/// What a directory holds and where it came from: every file with its hash, every tensor with its
/// place and its origin.
///
/// Encoding is deterministic and holds no time, host or path of the run, so equal inputs give
/// equal manifests. Its last member is a digest of all others, so that a change of its own shows too.
public struct Manifest: Sendable, Equatable {
  /// The name of the manifest inside the directory.
  public static let fileName = "manifest.json"
  /// The name of the manifest of what weights were before another program changed them.
  public static let formerName = "manifest-before.json"
  /// What lies in a directory beside the files that its manifest lists.
  static let ownNames = [fileName, ManifestSignature.fileName]
  static let format = "spikingbrain-manifest"
  /// The version that is written. Version 1, which is still read, told of transforms in sentences.
  static let version = 2

  /// The program that wrote the directory.
  public struct Tool: Sendable, Equatable {
    /// The program's name.
    public var name: String
    /// Its version.
    public var version: String

    /// A program of the given name and version.
    public init(name: String, version: String) {
      self.name = name
      self.version = version
    }

    /// As manifests and records of runs hold it.
    package var json: JSONValue { ["name": .string(name), "version": .string(version)] }
  }

  /// Where a tensor came from.
  public struct Origin: Sendable, Equatable {
    /// The names of the source tensors; empty for new parameters.
    public var tensors: [String]
    /// What was done with them.
    public var transform: TransformRecord

    /// The result of `transform` on the named source tensors.
    public init(tensors: [String], transform: TransformRecord) {
      self.tensors = tensors
      self.transform = transform
    }
  }

  /// A tensor, its place, and its origin.
  public struct Tensor: Sendable, Equatable {
    /// The stored tensor; `file` is relative to the directory.
    public var stored: StoredTensor
    /// Where it came from.
    public var origin: Origin
    /// The digest of its bytes; nil in what earlier versions wrote.
    public var sha256: SHA256Digest?

    /// A tensor at its place in the directory.
    public init(stored: StoredTensor, origin: Origin, sha256: SHA256Digest? = nil) {
      self.stored = stored
      self.origin = origin
      self.sha256 = sha256
    }
  }

  /// The program that wrote the directory.
  public var tool: Tool
  /// What was read: free-form, for example format, hash and configuration of the source.
  public var source: JSONValue
  /// What was done: free-form, the settings that determine the output.
  public var recipe: JSONValue
  /// All files of the directory except the manifest.
  public var files: [FileRecord]
  /// All tensors of the directory.
  public var tensors: [Tensor]

  /// Whether the manifest is as it was written.
  public private(set) var seal = Seal.whole

  /// What a manifest's own digest says of it.
  public enum Seal: Sendable, Equatable {
    /// Nothing was changed since it was written.
    case whole
    /// It has no digest: earlier versions wrote none.
    case absent
    /// Something was changed.
    case broken
  }

  /// How each tensor was made, by name.
  public var transforms: [String: TransformRecord] {
    Dictionary(
      tensors.map { ($0.stored.name, $0.origin.transform) },
      uniquingKeysWith: { first, _ in first })
  }

  /// A manifest of the given files and tensors.
  public init(
    tool: Tool, source: JSONValue, recipe: JSONValue, files: [FileRecord], tensors: [Tensor]
  ) {
    self.tool = tool
    self.source = source
    self.recipe = recipe
    self.files = files
    self.tensors = tensors
  }

  /// The same manifest, read with what its digest says.
  func sealed(_ seal: Seal) -> Manifest {
    var manifest = self
    manifest.seal = seal
    return manifest
  }
}
