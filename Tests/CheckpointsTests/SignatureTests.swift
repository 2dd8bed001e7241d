import Checkpoints
import Testing

/// Ed25519 against RFC 8032.
struct SignatureTests {
  /// The second test of section 7.1: the message is one byte.
  @Test func `the signature is that of the standard`() throws {
    let key = """
      -----BEGIN PRIVATE KEY-----
      MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7
      -----END PRIVATE KEY-----
      """
    let publicKey = """
      -----BEGIN PUBLIC KEY-----
      MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=
      -----END PUBLIC KEY-----
      """
    let signature = try ManifestSignature.sign([0x72], with: Array(key.utf8), of: "key.pem")
    let first: [UInt8] = [0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8]
    let last: [UInt8] = [0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00]
    #expect(signature.starts(with: first) && signature.suffix(last.count).elementsEqual(last))
    func isValid(_ signature: [UInt8], of message: [UInt8]) throws -> Bool {
      try ManifestSignature.isValid(signature, of: message, by: Array(publicKey.utf8), of: "p.pem")
    }
    #expect(try isValid(signature, of: [0x72]))
    #expect(try !isValid(signature, of: [0x73]))
    #expect(try !isValid(signature, of: []))
    #expect(try !isValid(Array(signature.dropLast()), of: [0x72]))
  }
}
