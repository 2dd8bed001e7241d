import Checkpoints
import TestSupport
import Testing

/// Test vectors of FIPS 180-4 (NIST examples), and streaming.
@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func publishedVectors(_ text: String, _ digest: String) {
    #expect(SHA256.hash(Array(text.utf8)).hex == digest)
  }

  @Test func millionLettersInPieces() {
    let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1000)
    var hash = SHA256()
    for count in 0..<1000 {
      // Pieces of changing size: 0…999, then the rest.
      letters.withUnsafeBytes { bytes in
        hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        hash.update(UnsafeRawBufferPointer(rebasing: bytes[count...]))
      }
    }
    #expect(
      hash.finish().hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func fileOfSeveralBlocks() throws {
    let directory = try TemporaryDirectory()
    let bytes = (0..<(3 << 20) + 7).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let path = try directory.write("file", bytes)
    var seen = 0
    let (count, digest) = try SHA256.hashFile(path) { seen += $0 }
    #expect(count == bytes.count && seen == count)
    #expect(digest == SHA256.hash(bytes))
    #expect(try SHA256.hashFile(try directory.write("empty", "")).digest == SHA256.hash([]))
    #expect(throws: CheckpointError.self) { try SHA256.hashFile(directory("none")) }
    #expect(throws: CheckpointError.self) { try SHA256.hashFile(directory.path) }
  }

  @Test func hexadecimalForm() throws {
    let digest = SHA256.hash([1, 2, 3])
    #expect(SHA256Digest(hex: digest.hex) == digest)
    #expect(SHA256Digest(hex: digest.hex.uppercased()) == nil)
    #expect(SHA256Digest(hex: String(digest.hex.dropLast())) == nil)
    #expect(SHA256Digest(hex: String(repeating: "g", count: 64)) == nil)
  }
}
