import Foundations
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// Git LFS pointers and web pages in the place of files that were not downloaded.
struct PlaceholderTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let pointer = """
    version https://git-lfs.github.com/spec/v1
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
    size 12345

    """
  private static let page = "\n <!DOCTYPE html>\n<html><body>Sign in</body></html>"

  @Test(arguments: [
    "model.safetensors", "pytorch_model.bin", "m.gguf", "model.weights.h5",
    "model.safetensors.index.json", "pytorch_model.bin.index.json",
  ])
  func `are named as what they are, with what helps`(_ name: String) throws {
    for (text, placeholder, help) in [
      (Self.pointer, Placeholder.gitLFS, "git lfs pull"),
      (Self.page, .webPage, "download it again"),
      ("Entry not found\n", .message("Entry not found"), "Entry not found"),
      (
        "Access to model a/b is restricted.", .message("Access to model a/b is restricted."),
        "Access"
      ),
    ] {
      let path = try directory.write("m/\(name)", text)
      for place in [path, directory("m")] {
        let error = checkpointError { _ = try CheckpointLocation.detect(place).open() }
        // An index in the place of a file is found by its first bytes, one in a directory as JSON.
        #expect(error?.what == placeholder.text && placeholder.text.contains(help))
        #expect(error?.location == path && error?.exitCode == 2)
      }
    }
  }

  @Test func `one shard of several`() throws {
    let header = try SafetensorsHeader(
      file: "a", entries: [.init(name: "a", type: .uint8, shape: [1])])
    try directory.write("m/a.safetensors", header.bytes + [1])
    let shard = try directory.write("m/b.safetensors", Self.pointer)
    try directory.write(
      "m/model.safetensors.index.json",
      #"{"weight_map":{"a":"a.safetensors","b":"b.safetensors"}}"#)
    let error = checkpointError { _ = try SafetensorsCheckpoint(path: directory("m")) }
    #expect(error == .placeholder(file: shard, .gitLFS))
  }

  @Test func `JSON that is damaged in another way keeps its own error`() {
    #expect(throws: JSONError.placeholder(.gitLFS)) { try JSONParser.parse(Self.pointer) }
    #expect(throws: JSONError.placeholder(.webPage)) { try JSONParser.parse("<html>") }
    #expect(throws: JSONError.unexpectedEnd(offset: 1)) { try JSONParser.parse("{") }
    #expect(throws: JSONError.placeholder(.message("404 Not Found"))) {
      try JSONParser.parse("404 Not\n Found")
    }
    let object = #"{"error": "Gated"}"#
    #expect(Placeholder(object.utf8) == .message(object))
    #expect(Placeholder("hello, world".utf8) == nil)
    #expect(Placeholder("{ \"a\": 1, }".utf8) == nil)
    #expect(Placeholder(String(repeating: "Not found ", count: 50).utf8) == nil)
    #expect(Placeholder([]) == nil)
  }
}
