import Foundation
import StepSettings
import TestSupport
import Testing

/// Signed checkpoints: what `sign` writes, and what `verify --public-key` says of it.
struct SignCommandTests {
  private let directory: TemporaryDirectory
  private var checkpoint: String { directory("c") }
  private var signature: String { directory("c/manifest.sig") }

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { $0.window = 64 }
    for (name, key) in [
      ("one", TestKey.one.privatePEM), ("one-public", TestKey.one.publicPEM),
      ("two-public", TestKey.two.publicPEM), ("other", TestKey.otherAlgorithm),
    ] { try directory.write("\(name).pem", key) }
  }

  private func verify(_ key: String, _ path: String? = nil) throws -> Program.Result {
    try Program.run(
      "verify", path ?? checkpoint, "--level", "hashes", "--public-key", directory("\(key).pem"))
  }

  private func sign(_ options: String...) throws -> Program.Result {
    try Program.run(["sign", checkpoint, "--key", directory("one.pem")] + options)
  }

  @Test func `a signature is checked, and goes where the files go`() throws {
    try sign().succeeded()
    #expect(try Files.bytes(signature).count == 64)
    let passed = try verify("one-public").succeeded()
    #expect(passed.text.contains("ok    signature: the owner of"))
    // Without a key it is told of; other commands do not mind it.
    let plain = try Program.run("verify", checkpoint, "--level", "hashes").succeeded()
    #expect(plain.text.contains("skip  signature: give --public-key"))
    try Program.run("pack", checkpoint, directory("c.sbz")).succeeded()
    try Program.run("unpack", directory("c.sbz"), directory("u")).succeeded()
    try verify("one-public", directory("u")).succeeded()
  }

  @Test func `somebody else's, none, and changes fail`() throws {
    let unsigned = try verify("one-public")
    #expect(unsigned.code == 1)
    #expect(unsigned.text.contains("FAIL  signature: there is no manifest.sig"))
    try sign().succeeded()
    let other = try verify("two-public")
    #expect(other.code == 1 && other.text.contains("FAIL  signature: manifest.sig is no signature"))
    // Weights and manifest that agree with each other.
    let manifest = directory("c/manifest.json")
    let bytes = try Files.bytes(manifest), signed = try Files.bytes(signature)
    try directory.write("c/manifest.json", bytes + [UInt8(ascii: "\n")])
    let changed = try verify("one-public")
    #expect(changed.code == 1 && changed.text.contains("ok    hashes"))
    #expect(changed.text.contains("FAIL  signature"))
    try directory.write("c/manifest.json", bytes)
    for damaged in [[], Array(signed.dropLast()), [signed[0] ^ 1] + signed.dropFirst()] {
      try directory.write("c/manifest.sig", damaged)
      #expect(try verify("one-public").code == 1)
    }
  }

  @Test func `what is made of it is not signed, and may be replaced`() throws {
    try sign().succeeded()
    try Program.run("export", checkpoint, directory("e"), "--profile", "hf").succeeded()
    #expect(!Files.exist(directory("e/manifest.sig")))
    try Program.run(
      "convert", Repository.tinyQwen2, checkpoint, "--window", "32", "--force", "--quiet"
    ).succeeded()
    #expect(!Files.exist(signature))
  }

  @Test func `only what is whole is signed, once`() throws {
    try sign().succeeded()
    try sign().refused(naming: "manifest.sig", "--force")
    try sign("--force").succeeded()
    try verify("one-public").succeeded()
    let name = "model.layers.3.mlp.up_proj.weight"
    try CheckpointEdit(checkpoint).overwrite(name, at: 100, with: [0xff, 0x3f])
    let damaged = try sign("--force")
    #expect(damaged.code == 1 && damaged.error.contains(name))
    try Program.run("sign", Repository.tinyQwen2, "--key", directory("one.pem"))
      .refused(naming: "manifest.json")
  }

  @Test func `keys that are none are refused`() throws {
    try sign().succeeded()
    for (key, words) in [("other", "Ed25519"), ("one-public", "private key")] {
      try Program.run("sign", checkpoint, "--key", directory("\(key).pem"), "--force")
        .refused(naming: "\(key).pem", words)
    }
    try verify("one").refused(naming: "one.pem", "public key")
    try verify("missing").refused(naming: "missing.pem")
    let early = try Program.run(
      "verify", checkpoint, "--level", "structure", "--public-key", directory("one-public.pem"))
    #expect(early.code != 0 && early.error.contains("--public-key"))
  }
}

/// Keys that everybody knows: the first two of RFC 8032, section 7.1.
private struct TestKey {
  var privatePEM: String
  var publicPEM: String

  static let one = TestKey(
    privatePEM: pem("PRIVATE", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"),
    publicPEM: pem("PUBLIC", "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="))
  static let two = TestKey(
    privatePEM: pem("PRIVATE", "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7"),
    publicPEM: pem("PUBLIC", "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="))
  /// Of the curve P-256.
  static let otherAlgorithm = pem(
    "PRIVATE",
    """
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgVkLkM18/kIDCunhZ
    YRhljY7DGsKEvRj6LKsmDHXvgTWhRANCAARpojCqLV7d70o2uS9ryG/OT7EOZd/8
    lC2WBn4JO4g2qTOqucA5DcmvHBUFLRXJaDWA2vHuFi0UN7bMWF5cKbPG
    """)

  private static func pem(_ kind: String, _ text: String) -> String {
    "-----BEGIN \(kind) KEY-----\n\(text)\n-----END \(kind) KEY-----\n"
  }
}
