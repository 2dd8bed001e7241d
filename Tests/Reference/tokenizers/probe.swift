// Drives the Tokenization module for cross_check.py: one request per line, one answer per line.
//
//   probe encode SOURCE       hex of a text -> ids TAB hex of the decoded text TAB hex of the
//                             text that streaming decoding gives
//   probe ids SOURCE          hex of a text -> ids
//   probe decode SOURCE       ids -> hex of their text
//   probe time SOURCE FILE    seconds to load and to encode a file, and the number of ids
//   probe chat                JSON of one request -> hex of the prompt, or "!" and the error
//   probe gguf FILE.json DIR  writes the tokenizer files that GGUF metadata stands for
//
// SOURCE is a tokenizer.json, a directory, or the JSON dump of GGUF metadata (*.gguf.json).
import ChatTemplates
import Foundation
import StrictJSON
import Tokenization

func hex(_ text: String) -> String {
  text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

func bytes(hex line: String) -> [UInt8] {
  let digits = line.utf8.compactMap { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 0) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func json(_ path: String) throws -> JSONValue {
  try JSONParser.parse(Data(contentsOf: URL(fileURLWithPath: path)), limit: .tokenizer)
}

func load(_ source: String) throws -> Tokenizer {
  if source.hasSuffix(".gguf.json") { return try Tokenizer(gguf: metadata(source)) }
  if source.hasSuffix(".json") { return try Tokenizer(tokenizerJSON: json(source)) }
  return try Tokenizer.load(.directory(source))
}

func metadata(_ path: String) throws -> GGUFTokenizerMetadata {
  let file = try json(path)
  func ints(_ key: String) -> [Int]? { file[key]?.array?.compactMap(\.int) }
  func strings(_ key: String) -> [String]? { file[key]?.array?.compactMap(\.string) }
  var metadata = GGUFTokenizerMetadata(
    model: file["model"]?.string ?? "", tokens: strings("tokens") ?? [])
  metadata.spacelessTokens = strings("spacelessTokens").map(Set.init)
  metadata.pre = file["pre"]?.string
  metadata.scores = file["scores"]?.array?.compactMap { $0.double.map(Float.init) }
  metadata.tokenTypes = ints("tokenTypes")
  metadata.merges = strings("merges")
  metadata.bosID = file["bosID"]?.int
  metadata.eosID = file["eosID"]?.int
  metadata.unknownID = file["unknownID"]?.int
  metadata.paddingID = file["paddingID"]?.int
  metadata.eotID = file["eotID"]?.int
  metadata.addsBOS = file["addsBOS"]?.bool
  metadata.addsEOS = file["addsEOS"]?.bool
  metadata.addsSpacePrefix = file["addsSpacePrefix"]?.bool
  metadata.chatTemplate = file["chatTemplate"]?.string
  return metadata
}

func writeFiles(_ metadata: GGUFTokenizerMetadata, _ directory: String) throws {
  let folder = URL(fileURLWithPath: directory, isDirectory: true)
  for (name, value) in [
    ("tokenizer.json", try metadata.tokenizerJSON()),
    ("tokenizer_config.json", try metadata.tokenizerConfigJSON()),
    ("generation_config.json", metadata.generationConfigJSON()),
  ] {
    try Data(value.pretty.utf8).write(to: folder.appendingPathComponent(name))
  }
}

func encode(_ tokenizer: Tokenizer) {
  while let line = readLine() {
    let ids = tokenizer.encode(bytes: bytes(hex: line))
    let streamed = StreamedText(tokenizer, ids)
    print(
      ids.map(String.init).joined(separator: ","), hex(tokenizer.decode(ids)),
      hex(streamed.text), separator: "\t")
  }
}

struct StreamedText {
  var text = ""
  init(_ tokenizer: Tokenizer, _ ids: [Int]) {
    var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
    for id in ids { text += decoder.append(id) }
    text += decoder.finish()
  }
}

func time(_ source: String, _ file: String) throws {
  let clock = ContinuousClock()
  let data = try Data(contentsOf: URL(fileURLWithPath: file))
  var tokenizer: Tokenizer?
  let loading = try clock.measure { tokenizer = try load(source) }
  var count = 0
  let encoding = clock.measure { count = tokenizer?.encode(bytes: data).count ?? 0 }
  print("load \(loading), encode \(encoding), \(count) ids")
}

func chat() throws {
  while let line = readLine() {
    let request = try JSONParser.parse(line)
    do {
      let template = try ChatTemplate(tokenizerConfig: request["config"] ?? [:])
      let messages = (request["messages"]?.array ?? []).map {
        ChatMessage(role: $0["role"]?.string ?? "", content: $0["content"]?.string ?? "")
      }
      let generates = request["add_generation_prompt"]?.bool ?? true
      print(hex(try template?.render(messages, addGenerationPrompt: generates) ?? ""))
    } catch {
      print("!\("\(error)".replacing("\n", with: " "))")
    }
  }
}

let arguments = Array(CommandLine.arguments.dropFirst())
do {
  switch arguments.first {
  case "encode": encode(try load(arguments[1]))
  case "ids":
    let tokenizer = try load(arguments[1])
    while let line = readLine() {
      print(tokenizer.encode(bytes: bytes(hex: line)).map(String.init).joined(separator: ","))
    }
  case "decode":
    let tokenizer = try load(arguments[1])
    while let line = readLine() {
      print(hex(tokenizer.decode(line.split(separator: ",").compactMap { Int($0) })))
    }
  case "time": try time(arguments[1], arguments[2])
  case "chat": try chat()
  case "gguf": try writeFiles(metadata(arguments[1]), arguments[2])
  default: print("see the head of this file")
  }
} catch {
  print("error: \(error)")
  exit(2)
}
