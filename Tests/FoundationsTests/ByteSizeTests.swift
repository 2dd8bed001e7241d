import Foundations
import Testing

@Suite struct ByteSizeTests {
  @Test(arguments: [("5GB", 5_000_000_000), ("512MiB", 512 << 20), ("1.5KB", 1500), ("17", 17)])
  func byteSizesParse(_ text: String, _ bytes: Int) {
    #expect(ByteSize(parsing: text)?.bytes == bytes)
  }

  @Test(arguments: ["", "GB", "-1GB", "5XB", "1e9", "99999999TB"])
  func badByteSizesAreRefused(_ text: String) { #expect(ByteSize(parsing: text) == nil) }

  @Test func numbersHaveTheirDigits() {
    #expect(fixed(-1.005, 1) == "-1.0" && fixed(0.06, 1) == "0.1" && fixed(12.0, 0) == "12")
  }
}
