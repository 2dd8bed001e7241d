import Checkpoints

/// Whether somebody stands for the manifest, and so for every file whose digest it holds.
struct SignatureCheck {
  static let name = "signature"
  /// The checkpoint.
  let directory: String
  /// Whose signature is asked for; nil for nobody's.
  let key: Verifier.PublicKey?

  /// What there is to say; nil where nobody asked and nothing is signed.
  func run() throws -> CheckResult? {
    let file = ManifestSignature.fileName
    let signature = try ManifestSignature.read(in: directory)
    guard let key else {
      return signature.map { _ in
        .skipped(Self.name, "give --public-key to learn whose \(file) is")
      }
    }
    guard Manifest.isPresent(in: directory) else {
      return .failed(Self.name, "there is no \(Manifest.fileName) that could be signed")
    }
    guard let signature else {
      return .failed(Self.name, "there is no \(file): nobody signed the checkpoint")
    }
    let manifest = try Manifest.bytes(in: directory)
    guard try ManifestSignature.isValid(signature, of: manifest, by: key.pem, of: key.file) else {
      return .failed(
        Self.name,
        "\(file) is no signature of \(Manifest.fileName) by the owner of \(key.file): one of the two was "
          + "changed, or somebody else signed")
    }
    return .passed(
      Self.name,
      "the owner of \(key.file) signed \(Manifest.fileName), which has every file's SHA-256"
    )
  }
}

extension Verifier {
  /// The public key whose owner is to have signed the checkpoint.
  public struct PublicKey: Sendable {
    /// The path of the PEM file.
    public var file: String
    /// Its bytes.
    public var pem: [UInt8]

    /// The key in the bytes `pem` of `file`.
    public init(file: String, pem: [UInt8]) {
      self.file = file
      self.pem = pem
    }
  }
}
