import Foundation
import InputFiles
import Testing

/// What may stand where a file is expected.
struct InputFileTests {
  private let directory =
    FileManager.default.temporaryDirectory.path + "/input-\(UUID().uuidString)"

  private func write(_ bytes: [UInt8], to name: String = "f") throws -> String {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let path = directory + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  @Test func `a file is read whole up to its limit`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = try write([1, 2, 3])
    #expect(try InputFile.read(path, limit: 3) == [1, 2, 3])
    #expect(throws: InputFileError.tooLarge(file: path, limit: 2)) {
      try InputFile.read(path, limit: 2)
    }
  }

  @Test func `what never ends or never starts is refused before it is read`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    _ = try write([])
    let pipe = directory + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    for (path, problem) in [
      (pipe, InputFileError.notRegular(file: pipe, type: "a named pipe")),
      ("/dev/zero", .notRegular(file: "/dev/zero", type: "a device")),
      (directory, .directory(file: directory)),
      (directory + "/no", .missing(file: directory + "/no")),
    ] {
      for kind in [InputFile.Kind.regular, .regularOrOpenPipe] {
        #expect(throws: problem) { try InputFile.read(path, limit: 9, kind: kind) }
      }
    }
  }

  @Test func `a pipe that is open already is read only where one may stand`() throws {
    var ends = [Int32](repeating: 0, count: 2)
    #expect(pipe(&ends) == 0)
    #expect(Foundation.write(ends[1], "text", 4) == 4)
    close(ends[1])
    defer { close(ends[0]) }
    let path = "/dev/fd/\(ends[0])"
    #expect(throws: InputFileError.notRegular(file: path, type: "a named pipe")) {
      try InputFile.read(path, limit: 9)
    }
    #expect(try InputFile.readText(path) == Array("text".utf8))
  }

  @Test func `a byte order mark is no part of a text`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(try InputFile.readText(write([0xEF, 0xBB, 0xBF, 0x61])) == [0x61])
    #expect(try InputFile.readText(write([0x61, 0xEF, 0xBB, 0xBF])).count == 4)
  }

  @Test(arguments: [
    ([0xFF, 0xFE, 0, 0, 0x41, 0, 0, 0], 0, 0xFF, "UTF-32" as String?),
    ([UInt8]("naïve".unicodeScalars.map { UInt8($0.value) }), 2, 0xEF, "LATIN1" as String?),
    ([0xFF, 0xFE, 0x41, 0, 0x42, 0], 0, 0xFF, "UTF-16"),
    ([0x41, 0, 0x42, 0, 0x43, 0], 1, 0, "UTF-16LE"),
    ([0, 0x41, 0, 0x42], 0, 0, "UTF-16BE"),
    ([0x41, 0x42, 0xC3], 2, 0xC3, "LATIN1"),
    ([0x41, 0xED, 0xA0, 0x80], 1, 0xED, "LATIN1"),
    ([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0], 7, 0, nil),
  ])
  func `what is not UTF-8 is refused with its offset`(
    _ bytes: [UInt8], _ offset: Int, _ byte: Int, _ encoding: String?
  ) {
    #expect(
      throws: InputFileError.notText(
        file: "t", offset: offset, byte: UInt8(byte), encoding: encoding)
    ) { try InputFile.requireText(bytes, file: "t") }
  }

  @Test func `any UTF-8 is a text`() throws {
    for text in ["", "a\r\n\tb", "日本語 🙂 \u{feff}\u{200d}"] {
      try InputFile.requireText(Array(text.utf8), file: "t")
    }
  }
}
