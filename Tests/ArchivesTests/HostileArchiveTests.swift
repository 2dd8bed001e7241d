import Archives
import Checkpoints
import Foundation
import Foundations
import TestSupport
import Testing

/// Every archive in formats/sbz/hostile must be refused with the words that `EXPECTED.txt` beside it
/// states; the files' names say what is wrong with them.
struct HostileArchiveTests {
  private static let folder = formatPath("hostile")

  static let names: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0 != "EXPECTED.txt" }.sorted()
  }()

  private static let expected: [String: String] = {
    let lines = ((try? Files.text(folder + "/EXPECTED.txt")) ?? "").split(separator: "\n")
    let pairs = lines.compactMap { line in
      line.firstRange(of: ": ").map {
        (String(line[..<$0.lowerBound]), String(line[$0.upperBound...]))
      }
    }
    return Dictionary(pairs) { first, _ in first }
  }()

  @Test(arguments: names)
  func `is refused`(_ name: String) throws {
    let path = "\(HostileArchiveTests.folder)/\(name)"
    let error = checkpointError { try Archive(path: path).check(memory: 8 << 20) }
    #expect(error?.what == HostileArchiveTests.expected[name])
    #expect(error?.exitCode == 2)
    if let location = error?.location { #expect(location == path) }
    let directory = try TemporaryDirectory()
    #expect(throws: (any Error).self) {
      try Archive(path: path).unpack(to: directory("out"), memory: 8 << 20)
    }
    #expect(directory.names.allSatisfy { $0 == "out.partial" })
  }

  @Test func `all are there`() { #expect(HostileArchiveTests.names.count > 50) }
}
