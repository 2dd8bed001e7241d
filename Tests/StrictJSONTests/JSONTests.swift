import StrictJSON
import Testing

@Suite struct JSONTests {
  @Test func roundTripKeepsOrderAndNumberText() throws {
    let text = #"{"b":1e-06,"a":[true,null,-0.5],"é":"\u00e9\ud83d\ude00\n"}"#
    let value = try JSONParser.parse(text)
    #expect(value.object?.keys == ["b", "a", "é"])
    #expect(value["é"]?.string == "é😀\n")
    #expect(value.compact == #"{"b":1e-06,"a":[true,null,-0.5],"é":"é😀\n"}"#)
    #expect(try JSONParser.parse(value.pretty) == value)
  }

  @Test(arguments: [
    #"{"a":1,"a":2}"#, #"[1,]"#, #"{"a" 1}"#, #"[01]"#, #"[1] x"#, #"["\ud800"]"#, #"[+1]"#, "",
    #"["#, #"[tru]"#, "[\"a\nb\"]", #"[1.]"#, #"["\x"]"#, "[nul", #"{"a":}"#, #"[1e]"#,
  ])
  func malformedTextIsRefused(_ text: String) {
    #expect(throws: JSONError.self) { try JSONParser.parse(text) }
  }

  @Test func depthIsBounded() {
    let text = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.tooDeep(limit: 128, offset: 129)) {
      try JSONParser.parse(text, limit: .tensors)
    }
  }

  @Test func valuesAreCounted() throws {
    func document(_ values: Int) -> String {
      "{\"a\":[" + String(repeating: "0,", count: values - 1) + "0]}"
    }
    let limit = JSONLimit.configuration
    // The object, its member (three more) and the array count too.
    #expect(try JSONParser.parse(document(limit.values - 5))["a"]?.array?.count == 65_531)
    #expect(throws: JSONError.tooManyValues(limit: limit.values)) {
      try JSONParser.parse(document(limit.values - 4))
    }
    #expect(try JSONParser.parse(document(100_000), limit: .tensors)["a"]?.array?.count == 100_000)
    // Text is no structure.
    let text = "[\"" + String(repeating: ",[{:\\\"", count: 50_000) + "\"]"
    #expect(try JSONParser.parse(text).array?.count == 1)
  }

  @Test func invalidUTF8IsRefused() {
    #expect(throws: JSONError.invalidUTF8) { try JSONParser.parse([0x22, 0xff, 0x22]) }
  }

  @Test func integersAreExact() throws {
    #expect(try JSONParser.parse("9007199254740993").int == 9_007_199_254_740_993)
    #expect(try JSONParser.parse("1e6").int == 1_000_000)
    #expect(try JSONParser.parse("1.5").int == nil)
  }

  @Test func keysAreComparedByTheirBytes() throws {
    let text = "{\"e\u{301}\":1,\"\u{e9}\":2}"
    let value = try JSONParser.parse(text)
    #expect(value["\u{e9}"] == 2 && value["e\u{301}"] == 1)
    #expect(value.compact.utf8.elementsEqual(text.utf8))
    var object = try #require(value.object)
    object["e\u{301}"] = nil
    #expect(object.count == 1 && object["\u{e9}"] == 2)
  }
}
