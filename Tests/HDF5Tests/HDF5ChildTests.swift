import Foundation
import Foundations
import HDF5
import TestSupport
import Testing

/// The process that reads HDF5 files: what it may do, and what is said when it ends.
///
/// Serialised: each test looks for the one that it has started.
@Suite(.serialized) struct HDF5ChildTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory("own.h5")
    try HDF5Writer.write(path) { file in
      try file.dataset("x", .doubles((0..<5000).map(Double.init)), shape: [1000, 5])
      try file.dataset("names", .texts(["a", "bcd"]), shape: [2])
    }
  }

  /// The process that reads `path`.
  private func reader() throws -> pid_t {
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
      guard let process = pid_t(name), let words = try? Files.text("/proc/\(name)/cmdline") else {
        continue
      }
      if words.contains("hdf5-reader"), words.contains(path) { return process }
    }
    throw CocoaError(.fileNoSuchFile)
  }

  @Test func `it may read, and nothing else`() throws {
    try HDF5Reader.read(path) { file in
      #expect(try file.texts("names") == ["a", "bcd"])
      let place = "/proc/\(try reader())"
      let status = try Files.text(place + "/status"), limits = try Files.text(place + "/limits")
      #expect(status.contains("NoNewPrivs:\t1"))
      func limit(_ name: String) -> [Substring] {
        let line = limits.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return line.dropFirst(name.count).split(separator: " ")
      }
      #expect(limit("Max file size").first == "0")
      #expect(limit("Max core file size").first == "0")
      #expect(limit("Max cpu time").first.flatMap { Int($0) }.map { $0 <= 10 } == true)
      #expect(
        limit("Max address space").first.flatMap { Int($0) }.map { $0 < 1 << 40 } == true)
    }
  }

  @Test func `rows come in parts and in order`() throws {
    try HDF5Reader.read(path) { file in
      let (values, shape) = try file.doubles("x")
      #expect(shape == [1000, 5] && values == (0..<5000).map(Double.init))
      // An error ends nothing but the answer.
      #expect(throws: HDF5Error.self) { try file.doubles("y") }
      #expect(throws: HDF5Error.self) { try file.texts("x") }
      #expect(try file.rows("x", count: 1000, width: 5).count == 5000)
    }
  }

  @Test func `a crash and a run without end are named`() throws {
    for (signal, words) in [(SIGSEGV, "crashed on it (signal 11)"), (SIGXCPU, "no end")] {
      let error = #expect(throws: HDF5Error.self) {
        try HDF5Reader.read(path) { file in
          kill(try reader(), signal)
          _ = try file.doubles("x")
        }
      }
      #expect(error?.what.contains(words) == true, "\(error?.what ?? "")")
      #expect(error?.location == path && error?.exitCode == 2)
      #expect(error?.advice?.contains("damaged") == true)
    }
    // The next file has a process of its own.
    #expect(try HDF5Reader.read(path) { try $0.doubles("x").values.count } == 5000)
  }

  @Test func `none is left behind`() throws {
    try HDF5Reader.read(path) { _ = try $0.doubles("x") }
    #expect(throws: CocoaError.self) { try reader() }
  }

  @Test func `a file that is none is refused by its name`() throws {
    let text = try directory.write("text.h5", "no HDF5")
    let error = #expect(throws: HDF5Error.self) { try HDF5Reader.read(text) { _ in } }
    #expect(error?.what.hasPrefix("cannot be opened as HDF5") == true)
    #expect(error?.location == text)
  }
}
