import Foundation
import StrictJSON
import TestSupport
import Testing

/// Licences and notices of a source are carried along with what is made of it.
struct LicenceTests {
  private let directory: TemporaryDirectory
  private let carried = ["LICENSE", "LICENSE.md", "NOTICE.txt"]

  init() throws {
    directory = try TemporaryDirectory()
    try FileManager.default.copyItem(atPath: Repository.tinyQwen2, toPath: directory("s"))
    for name in carried + ["README.md"] { try directory.write("s/\(name)", "terms of \(name)") }
    try directory.write("s/LICENSE.huge", [UInt8](repeating: 65, count: (1 << 20) + 1))
    try directory.write("s/NOTICE.d/file", "no file by itself")
    let outside = try directory.write("outside", "somebody else's")
    try FileManager.default.createSymbolicLink(
      atPath: directory("s/LICENSE.link"), withDestinationPath: outside)
  }

  private func require(_ name: String) throws {
    let names = Set(try Files.tree(directory(name)).keys)
    #expect(names.filter { $0.hasPrefix("LICENSE") || $0.hasPrefix("NOTICE") } == Set(carried))
    // A card of the source is not one of what is made of it.
    if names.contains("README.md") {
      #expect(
        try Files.text(directory("\(name)/README.md")).contains("in LICENSE, LICENSE.md, NOTICE"))
    }
    #expect(try Files.text(directory("\(name)/LICENSE.md")) == "terms of LICENSE.md")
    let manifest = try JSONParser.parse(Files.bytes(directory("\(name)/manifest.json")))
    let listed = (manifest["files"]?.array ?? []).compactMap { $0["name"]?.string }
    #expect(Set(listed).isSuperset(of: carried))
  }

  @Test func `from step to step, also through one file`() throws {
    let converted = try Program.run("convert", directory("s"), directory("c"))
    converted.succeeded()
    #expect(converted.error.contains("LICENSE.link is a link out of the source"))
    #expect(converted.error.contains("LICENSE.huge has"))
    try require("c")
    try Program.run("verify", directory("c"), "--source", directory("s")).succeeded()
    try Program.run(
      "upcycle", directory("c"), directory("u"), "--experts", "2", "--dense-layers", "0", "--quiet"
    ).succeeded()
    try require("u")
    try Program.run("export", directory("c"), directory("g"), "--profile", "gguf", "--quiet")
      .succeeded()
    try Program.run("export", directory("g"), directory("back"), "--profile", "hf", "--quiet")
      .succeeded()
    try require("back")
  }

  @Test func `a snapshot of the Hub's cache has links for files`() throws {
    let snapshots = directory("models--a--b/snapshots"), blobs = directory("models--a--b/blobs")
    for path in [snapshots, blobs] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    try FileManager.default.moveItem(atPath: directory("s"), toPath: snapshots + "/1")
    for name in carried {
      try FileManager.default.moveItem(
        atPath: "\(snapshots)/1/\(name)", toPath: "\(blobs)/\(name)")
      try FileManager.default.createSymbolicLink(
        atPath: "\(snapshots)/1/\(name)", withDestinationPath: "../../blobs/\(name)")
    }
    try Program.run("convert", snapshots + "/1", directory("c"), "--quiet").succeeded()
    try require("c")
  }
}
