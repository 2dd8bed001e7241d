import Checkpoints
import Foundation
import TestSupport
import Testing

/// What docs/extending.md says is so.
@Suite struct ExtendingTests {
  private let text: String

  init() throws { text = try Files.text(Repository.root + "/docs/extending.md") }

  /// The fenced blocks of a language, in the section of this title or anywhere.
  private func blocks(_ language: String, in section: String? = nil) -> [String] {
    text.components(separatedBy: "\n## ").filter { $0.hasPrefix(section ?? "") }.flatMap {
      $0.components(separatedBy: "```\(language)\n").dropFirst()
    }.map { String($0.prefix(while: { $0 != "`" })) }
  }

  /// The files that the block of this language lists in a section, a line each with a remark.
  private func listed(_ language: String = "files", in section: String) throws -> [String] {
    try #require(blocks(language, in: section).first).split(separator: "\n")
      .compactMap { $0.split(separator: " ").first.map(String.init) }
  }

  /// Swift files below a folder, with their texts.
  private func files(in folder: String) throws -> [(name: String, text: String)] {
    let root = Repository.root + "/" + folder
    return try #require(FileManager.default.enumerator(atPath: root))
      .compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
      .map { ("\(folder)/\($0)", try Files.text("\(root)/\($0)")) }
  }

  @Test func `a source: the list of files is what there is`() throws {
    let listed = try listed(in: "A source architecture\n")
    let mentioning = try files(in: "Sources").filter { $0.text.lowercased().contains("phi3") }
    #expect(mentioning.map(\.name).sorted() == listed.sorted())
    #expect(listed.count <= 3)
  }

  @Test func `a mixer: a folder, a line of the registry, and the roles of its tensors`() throws {
    let listed = try listed(in: "A mixer\n")
    let folder = try files(in: "Sources/Mixers/GatedLinear").map(\.name)
    #expect(
      listed.filter { $0.hasPrefix("Sources/Mixers/GatedLinear/") }.sorted() == folder.sorted())
    #expect(listed.count == folder.count + 2)
    // What else knows it is listed too, with what for.
    let others = try self.listed("others", in: "A mixer\n")
    let words = ["gatedlinear", "gk_proj", "gatelow", "gatehigh", "gatemerged"]
    let mentioning = try files(in: "Sources").filter { file in
      // Its kernel, and what that reads, are for any mixer.
      var text = file.text.lowercased()
      for shared in ["gatedlinearattention", "gatedlinearinputs"] {
        text = text.replacingOccurrences(of: shared, with: "")
      }
      return words.contains { text.contains($0) }
    }
    #expect(mentioning.map(\.name).sorted() == (listed + others).sorted())
  }

  @Test func `the code is that of the tests`() throws {
    let tests = try files(in: "Tests").filter { $0.name.contains("/Adding") }.map(\.text)
    let known = Set(
      tests.joined(separator: "\n").split(separator: "\n")
        .map { $0.trimmingCharacters(in: .whitespaces) })
    // A subcommand is part of the program, of which no test is a part.
    let blocks = blocks("swift").filter { !$0.contains("ArgumentParser") }
      .map { $0.split(separator: "\n") }.filter { $0.count > 3 }
    #expect(blocks.count >= 4)
    for line in blocks.joined() {
      let line = line.trimmingCharacters(in: .whitespaces)
      let isKnown = known.contains(line)
      #expect(isKnown, "\(line)")
    }
  }
}
