import Checkpoints
import Foundation
import TensorTypes
import TestSupport
import Testing

/// Mapping files and dropping their pages.
@Suite struct MappedFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Pages of `bytes` that this process has mapped in, from /proc/self/smaps.
  private func residentKilobytes(_ file: MappedFile) throws -> Int {
    // Files in /proc state no size, so they must be read to their end.
    let handle = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
    let text = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    var inside = false
    for line in text.split(separator: "\n") {
      if line.hasSuffix(file.path) { inside = true }
      if inside, line.hasPrefix("Rss:") {
        return Int(line.filter(\.isNumber)) ?? -1
      }
    }
    return -1
  }

  @Test func discardDropsPagesAndTheyComeBack() throws {
    let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let file = try MappedFile(path: try directory.write("file", bytes), access: .sequential)
    #expect(file.bytes.elementsEqual(bytes))
    #expect(try residentKilobytes(file) == 1024)
    file.discard(UnsafeRawBufferPointer(rebasing: file.bytes[(1 << 19)...]))
    #expect(try residentKilobytes(file) == 512)
    file.discard(file.bytes)
    #expect(try residentKilobytes(file) == 0)
    #expect(file.bytes.elementsEqual(bytes))
  }

  @Test func discardOfUnalignedPartsIsSafe() throws {
    let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
    let file = try MappedFile(path: try directory.write("file", bytes), access: .random)
    for start in stride(from: 0, through: 20_000, by: 999) {
      file.discard(UnsafeRawBufferPointer(rebasing: file.bytes[start...]))
      #expect(file.bytes.elementsEqual(bytes))
    }
    file.discard(UnsafeRawBufferPointer(start: nil, count: 0))
  }

  @Test func discardOfForeignMemoryIsIgnored() throws {
    let file = try MappedFile(path: try directory.write("file", "x"))
    let storage = MemoryStorage(count: 1 << 16)
    storage.bytes[5] = 7
    file.discard(UnsafeRawBufferPointer(storage.bytes))
    #expect(storage.bytes[5] == 7)
  }

  @Test func directoryIsRefused() {
    #expect(throws: CheckpointError.isDirectory(file: directory.path)) {
      try MappedFile(path: directory.path)
    }
  }
}
