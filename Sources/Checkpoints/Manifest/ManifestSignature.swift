import CLibCrypto
public import Foundations

/// An Ed25519 signature of a checkpoint's manifest: the file `manifest.sig` beside it.
///
/// A manifest holds the digest of every file, so whoever cannot sign can change nothing unseen. The file is the
/// 64 bytes of the signature over the bytes of `manifest.json` (RFC 8032), as OpenSSL's own command
/// makes and checks them: `openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in manifest.json
/// -sigfile manifest.sig`.
public enum ManifestSignature {
  /// The name of the signature inside the directory.
  public static let fileName = "manifest.sig"
  /// The bytes of a signature.
  static let byteCount = 64
  /// The longest key file that is read, in bytes: PEM needs some 120.
  public static let keyByteLimit = 64 << 10

  /// What a key file does not hold.
  public enum KeyError: ReportableError {
    case noPrivateKey(file: String)
    case noPublicKey(file: String)
    case otherAlgorithm(file: String)

    public var what: String {
      switch self {
      case .noPrivateKey: "holds no private key in PEM form, or one that a password protects"
      case .noPublicKey: "holds no public key in PEM form"
      case .otherAlgorithm: "holds a key of another kind than Ed25519"
      }
    }

    public var location: String? {
      switch self {
      case .noPrivateKey(let file), .noPublicKey(let file), .otherAlgorithm(let file): file
      }
    }

    public var advice: String? {
      switch self {
      case .noPrivateKey: "openssl genpkey -algorithm ed25519 -out key.pem makes one"
      case .noPublicKey:
        "openssl pkey -in key.pem -pubout -out public.pem takes it from a private one"
      case .otherAlgorithm: nil
      }
    }
  }

  /// The bytes of the signature in `directory`; nil when there is none. A file of another size is none
  /// that fits, and read as no bytes.
  public static func read(in directory: String) throws(CheckpointError) -> [UInt8]? {
    let path = RelativeName.join(directory, fileName)
    guard FileStatus.isTaken(path) else { return nil }
    guard FileStatus.size(path) == byteCount else { return [] }
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Array(file.bytes) }
  }

  /// The signature of a manifest's bytes by the private key in `pem`, the bytes of `file`.
  public static func sign(
    _ manifest: [UInt8], with pem: [UInt8], of file: String
  ) throws(KeyError) -> [UInt8] {
    let key = try Key(pem, isPrivate: true, file: file)
    var signature = [UInt8](repeating: 0, count: byteCount)
    var count = signature.count
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestSignInit(context, nil, nil, nil, key.key) == 1,
      EVP_DigestSign(context, &signature, &count, manifest, manifest.count) == 1,
      count == byteCount
    else { throw .noPrivateKey(file: file) }
    return signature
  }

  /// Throws when `pem`, the bytes of `file`, are no public key.
  public static func requirePublicKey(_ pem: [UInt8], of file: String) throws(KeyError) {
    _ = try Key(pem, isPrivate: false, file: file)
  }

  /// Whether `signature` is one of a manifest's bytes by the owner of the public key in `pem`, the bytes of
  /// `file`.
  public static func isValid(
    _ signature: [UInt8], of manifest: [UInt8], by pem: [UInt8], of file: String
  ) throws(KeyError) -> Bool {
    let key = try Key(pem, isPrivate: false, file: file)
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    return signature.count == byteCount
      && EVP_DigestVerifyInit(context, nil, nil, nil, key.key) == 1
      && EVP_DigestVerify(context, signature, signature.count, manifest, manifest.count) == 1
  }

  /// A key that libcrypto read.
  private struct Key: ~Copyable {
    let key: OpaquePointer

    init(_ pem: [UInt8], isPrivate: Bool, file: String) throws(KeyError) {
      let memory = BIO_new_mem_buf(pem, Int32(pem.count))
      defer { BIO_free(memory) }
      // Nobody is asked for a password: a key that has one is refused.
      let read =
        isPrivate
        ? PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in -1 }, nil)
        : PEM_read_bio_PUBKEY(memory, nil, { _, _, _, _ in -1 }, nil)
      guard let read else {
        throw isPrivate ? .noPrivateKey(file: file) : .noPublicKey(file: file)
      }
      guard EVP_PKEY_is_a(read, "ED25519") == 1 else {
        EVP_PKEY_free(read)
        throw .otherAlgorithm(file: file)
      }
      key = read
    }

    deinit { EVP_PKEY_free(key) }
  }
}

extension Manifest {
  /// The bytes of `manifest.json` in `directory`: what is signed.
  public static func bytes(in directory: String) throws(CheckpointError) -> [UInt8] {
    let path = RelativeName.join(directory, fileName), file = try MappedFile(path: path)
    guard file.bytes.count <= byteLimit else {
      throw .limitExceeded(
        file: path, quantity: "size of the manifest", limit: byteLimit,
        got: UInt64(file.bytes.count))
    }
    return withExtendedLifetime(file) { Array(file.bytes) }
  }
}
