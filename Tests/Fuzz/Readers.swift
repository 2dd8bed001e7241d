import Archives
import ChatTemplates
import Checkpoints
import Foundation
import Foundations
import StrictJSON
import TensorTypes
import Tokenization

/// The readers that are given files of strangers, each by the name that `Tests/Fuzz/run` takes.
///
/// A reader may refuse what it is given by an error that people can act on, and nothing else: libFuzzer
/// finds crashes, hangs and memory, the rest is found here.
enum Readers {
  static let targets: [String: @Sendable ([UInt8]) throws -> Void] = [
    "safetensors": { bytes in try views(SafetensorsFile(path: Place.file("f.safetensors", bytes)))
    },
    "gguf": { bytes in try views(GGUFFile(path: Place.file("f.gguf", bytes))) },
    "zip": { bytes in try views(PyTorchFile(path: Place.file("f.pt", bytes))) },
    "pickle": { bytes in try views(PyTorchFile(path: Place.file("f.pt", Archived.pickle(bytes)))) },
    "dcp": { bytes in
      try Place.file(".metadata", bytes)
      try views(DistributedCheckpoint(path: Place.directory))
    },
    "json": { bytes in
      let value = try JSONParser.parse(bytes)
      // What was read is written so that it reads the same.
      let again = try JSONParser.parse(value.pretty)
      guard again == value else { throw Finding("printed and read again it is another document") }
    },
    "manifest": { bytes in
      let manifest = try Manifest(path: Place.file("manifest.json", bytes))
      _ = try manifest.verifyFiles(in: Place.directory)
    },
    "archive": { bytes in
      let archive = try Archive(path: Place.file("f.sbz", bytes))
      try archive.check(memory: 64 << 20)
    },
    "tokenizer": { bytes in try tokens(["tokenizer.json": bytes]) },
    "sentencepiece": { bytes in try tokens(["tokenizer.model": bytes]) },
    "tekken": { bytes in try tokens(["tekken.json": bytes]) },
    "tiktoken": { bytes in try tokens(["qwen.tiktoken": bytes]) },
    "pattern": { bytes in
      // The first line is the expression, what follows is text for it.
      let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
      let expression = JSONValue.string(String(decoding: parts[0], as: UTF8.self))
      let split: JSONValue = [
        "type": "Split", "pattern": ["Regex": expression], "behavior": "Isolated", "invert": false,
      ]
      let document: JSONValue = [
        "pre_tokenizer": split,
        "model": ["type": "BPE", "vocab": ["a": 0], "merges": [], "unk_token": "a"],
      ]
      let tokenizer = try Tokenizer(tokenizerJSON: document)
      _ = tokenizer.encode(String(decoding: parts.count > 1 ? parts[1] : [], as: UTF8.self))
    },
    "template": { bytes in
      let tokens = ["bos_token": "<s>", "eos_token": "</s>"]
      let template = try ChatTemplate(
        String(decoding: bytes, as: UTF8.self), specialTokens: tokens)
      _ = try template.render(
        [
          ChatMessage(role: "system", content: "Be brief."),
          ChatMessage(role: "user", content: "<b>é & \"x\"</b>"),
          ChatMessage(role: "assistant", content: "Yes."),
          ChatMessage(role: "user", content: " Why? "),
        ], now: Date(timeIntervalSince1970: 1_700_000_000))
    },
  ]

  /// Looks at the first and the last byte of every tensor.
  private static func views(_ reader: some CheckpointReader) throws {
    for tensor in reader.tensors {
      let view = try reader.view(tensor.name)
      guard view.bytes.count == tensor.byteCount else {
        throw Finding("\(tensor.name) has other bytes than it says")
      }
      if let first = view.bytes.first, let last = view.bytes.last { _ = first &+ last }
    }
  }

  /// Encodes a text, decodes what comes out.
  private static func tokens(_ files: [String: [UInt8]]) throws {
    let tokenizer = try Tokenizer.load(
      .embedded(files.map { (name: $0.key, bytes: $0.value) }, file: "f"))
    let ids = tokenizer.encode(" It's a truth, né 12345 \u{4f60}\u{597d}\n\t\u{1f600} <s>the</s>")
    _ = tokenizer.decode(ids)
    _ = tokenizer.decode([0, 1, -1, .max], skipSpecialTokens: true)
  }
}

/// What is wrong although nothing crashed.
struct Finding: Error {
  var text: String
  init(_ text: String) { self.text = text }
}

/// Where inputs are written that are read by path.
enum Place {
  static let directory: String = {
    let path = NSTemporaryDirectory() + "/fuzz-\(getpid())"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }()

  @discardableResult
  static func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = directory + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }
}

/// A pickle in an archive with the right checksum, which a random change of a whole file never has.
enum Archived {
  static func pickle(_ pickle: [UInt8]) -> [UInt8] {
    let files: [(String, [UInt8])] = [
      ("a/data.pkl", pickle), ("a/byteorder", Array("little".utf8)),
      ("a/data/0", [UInt8](repeating: 0, count: 256)), ("a/version", Array("3\n".utf8)),
    ]
    var archive: [UInt8] = [], directory: [UInt8] = []
    for (name, bytes) in files {
      let offset = archive.count
      let checksum = bytes.withUnsafeBytes { CRC32.checksum($0) }
      // Version, flags, method, time, date; then the checksum, both sizes, and the name's length.
      let fields =
        little(20, 2) + little(0, 8) + little(Int(checksum), 4) + little(bytes.count, 4)
        + little(bytes.count, 4) + little(name.utf8.count, 2) + little(0, 2)
      archive += [0x50, 0x4b, 3, 4] + fields + name.utf8 + bytes
      directory += [0x50, 0x4b, 1, 2] + little(20, 2) + fields + little(0, 10)
      directory += little(offset, 4) + Array(name.utf8)
    }
    let end =
      little(0, 4) + little(files.count, 2) + little(files.count, 2) + little(directory.count, 4)
      + little(archive.count, 4) + little(0, 2)
    return archive + directory + [0x50, 0x4b, 5, 6] + end
  }

  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 < 8 ? value >> (8 * $0) : 0) }
  }
}
