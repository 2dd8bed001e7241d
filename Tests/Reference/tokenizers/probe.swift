// Drives the Tokenization module for cross_check.py: one request per line, one answer per line.
//
//   probe encode SOURCE       hex of a text -> ids TAB hex of the decoded text TAB hex of the
//                             text that streaming decoding gives
//   probe time SOURCE FILE    seconds to load and to encode a file, and the number of ids
//   probe chat                JSON of one request -> hex of the prompt, or "!" and the error
//   probe gguf FILE.json DIR  writes the tokenizer files that GGUF metadata stands for
//
// SOURCE is a tokenizer.json, a directory, or the JSON dump of GGUF metadata (*.gguf.json).
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
  try JSONParser.parse(Data(contentsOf: URL(fileURLWithPath: path)))
}

func load(_ source: String) throws -> Tokenizer {
  if source.hasSuffix(".json") { return try Tokenizer(tokenizerJSON: json(source)) }
  fatalError("unknown source")
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

let arguments = Array(CommandLine.arguments.dropFirst())
do {
  switch arguments.first {
  case "encode": encode(try load(arguments[1]))
  case "time": try time(arguments[1], arguments[2])
  default: print("see the head of this file")
  }
} catch {
  print("error: \(error)")
  exit(2)
}
