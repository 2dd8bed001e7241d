import Foundation
import StrictJSON
import TensorTypes
import Testing

@testable import Checkpoints

/// Records of transforms: values in manifests, sentences for people, and what earlier versions wrote.
@Suite struct TransformRecordTests {
  private let record = TransformRecord(
    "sinks",
    [("row", 5), ("random_rows", 1), ("noise", 0.01), ("exact", true), ("of", ["a", "b"])])

  @Test func theValueIsAnObjectWithItsKindFirst() throws {
    let text = #"{"kind":"sinks","row":5,"random_rows":1,"noise":0.01,"exact":true,"of":["a","b"]}"#
    #expect(record.json.compact == text)
    #expect(try TransformRecord(json: JSONParser.parse(text)) == record)
    let data = try JSONEncoder().encode([record])
    #expect(try JSONDecoder().decode([TransformRecord].self, from: data) == [record])
  }

  @Test(arguments: [#""copy""#, "{}", #"{"kind":""}"#, #"{"kind":7}"#, "[]", "null"])
  func anythingElseIsNone(_ text: String) throws {
    #expect(try TransformRecord(json: JSONParser.parse(text)) == nil)
  }

  @Test func sentencesAreMadeOfTheValue() {
    #expect(record.text == "sinks row 5, random rows 1, noise 0.01, exact, of a, b")
    #expect(TransformRecord("fitted_to_neurons").text == "fitted to neurons")
    let digest = TransformRecord(
      "neurons", [("sha256", .string(String(repeating: "ab", count: 32)))])
    #expect(digest.text == "neurons sha256 abababab…")
  }

  @Test func equalTypesAreNoCast() {
    var cast = TransformRecord("cast")
    cast.cast(from: [.bfloat16], to: .bfloat16)
    #expect(cast.castTypes.isEmpty && cast.text == "cast")
    cast.cast(from: [.q4_1, .float32, .bfloat16, .q4_1], to: .bfloat16)
    #expect(cast.castTypes == [.float32, .q4_1])
    #expect(cast.text == "cast from float32, q4_1, to bfloat16")
  }

  /// Every sentence that a version of this program wrote, with the value of a tensor in float16.
  private static let sentences: [(String, String)] = [
    ("copy", #"{"kind":"copy"}"#),
    ("cast from q4_1", #"{"kind":"cast","from":"q4_1","to":"float16"}"#),
    ("copy, rotary pairs de-interleaved", #"{"kind":"copy","rotary_pairs":"de-interleaved"}"#),
    (
      "cast from q4_K, rotary pairs de-interleaved",
      #"{"kind":"cast","from":"q4_K","to":"float16","rotary_pairs":"de-interleaved"}"#
    ),
    ("copy, rounded to its scales", #"{"kind":"copy","rounded_to_scales":true}"#),
    (
      "cast from float32, rounded to its scales",
      #"{"kind":"cast","from":"float32","to":"float16","rounded_to_scales":true}"#
    ),
    ("constant 0.0", #"{"kind":"constant","value":0.0}"#),
    ("constant -4.5", #"{"kind":"constant","value":-4.5}"#),
    ("values 0.0, 1.0", #"{"kind":"given","values":[0.0,1.0]}"#),
    ("values 1e-05", #"{"kind":"given","values":[1e-05]}"#),
    (
      "uniform within 0.125 around 1.0, seed 18446744073709551615",
      #"{"kind":"uniform","within":0.125,"around":1.0,"seed":18446744073709551615}"#
    ),
    (
      "row 3, 4 times, noise 0.02, seed 7",
      #"{"kind":"sinks","row":3,"copies":4,"noise":0.02,"seed":7}"#
    ),
    (
      "row 3 and 1 random ones, noise 0.02, seed 7",
      #"{"kind":"sinks","row":3,"random_rows":1,"noise":0.02,"seed":7}"#
    ),
    ("scaled by 0.25", #"{"kind":"scaled","by":0.25}"#),
    (
      "scaled by 0.7937005, rows 2 times, columns 3 times, from bfloat16",
      #"{"kind":"scaled","by":0.7937005,"rows_repeated":2,"columns_repeated":3,"from":"bfloat16","to":"float16"}"#
    ),
    ("neurons of expert 12", #"{"kind":"neurons","expert":12}"#),
    (
      "neurons of the shared expert, cast from float32",
      #"{"kind":"neurons","expert":"shared","from":"float32","to":"float16"}"#
    ),
    ("hole", #"{"kind":"hole"}"#), ("healed", #"{"kind":"healed"}"#),
    ("clustered", #"{"kind":"clustered"}"#), ("refitted", #"{"kind":"refitted"}"#),
    ("fitted to neurons", #"{"kind":"fitted_to_neurons"}"#), ("int8", #"{"kind":"int8"}"#),
    (
      "codes, INT8 as stored", #"{"kind":"quantised","part":"codes","codes":"stored"}"#
    ),
    (
      "scales, INT8 as stored, scales rounded to bfloat16",
      #"{"kind":"quantised","part":"scales","codes":"stored","scales":"bfloat16"}"#
    ),
    (
      "codes packed by four, rounded to INT8, group 128, nearest",
      #"{"kind":"quantised","part":"packed_codes","codes":"rounded","group":128,"rounding":"nearest"}"#
    ),
    (
      "code x scale, rounded to INT8, channel, nearest",
      #"{"kind":"quantised","part":"values","codes":"rounded","group":"channel","rounding":"nearest"}"#
    ),
    (
      "q8_0 blocks, INT8 as stored, scales rounded to float16",
      #"{"kind":"quantised","part":"q8_0_blocks","codes":"stored","scales":"float16"}"#
    ),
    ("copied from float32", #"{"kind":"copy"}"#),
    ("copied from bfloat16", #"{"kind":"cast","from":"bfloat16","to":"float16"}"#),
    ("product", #"{"kind":"product"}"#),
    ("shape [64, 112]", #"{"kind":"shape","dimensions":[64,112]}"#),
    (
      "all of decoder.final_layernorm.weight",
      #"{"kind":"assembled","of":"decoder.final_layernorm.weight"}"#
    ),
    (
      "rows, part 1 of 2, of decoder.layers.1.self_attention.linear_qkv.weight",
      #"{"kind":"assembled","split":"rows","part":1,"parts":2,"of":"decoder.layers.1.self_attention.linear_qkv.weight"}"#
    ),
    (
      "cast from bfloat16, float32: halves, part 2 of 4, of decoder.layers.0.fc1.weight, expert 5",
      #"{"kind":"assembled","split":"halves","part":2,"parts":4,"of":"decoder.layers.0.fc1.weight","expert":5,"from":["bfloat16","float32"],"to":"float16"}"#
    ),
    (
      "cast from float32: columns, part 1 of 2, of a.b",
      #"{"kind":"assembled","split":"columns","part":1,"parts":2,"of":"a.b","from":"float32","to":"float16"}"#
    ),
    (
      "cast from float32: all of a.b",
      #"{"kind":"assembled","of":"a.b","from":"float32","to":"float16"}"#
    ),
  ]

  @Test(arguments: sentences) func everySentenceOfVersion1HasAValue(
    _ sentence: String, _ value: String
  ) {
    #expect(TransformRecord(version1: sentence, of: .float16).json.compact == value)
  }

  @Test(arguments: [
    "", "copied", "copy, twice", "cast from f7", "constant ", "seed 3", "part 1 of 2",
    "healed by me",
    "a: b", "cast from float32: nothing", ", ", "{from}",
  ])
  func anyOtherSentenceIsKept(_ sentence: String) {
    #expect(
      TransformRecord(version1: sentence, of: .float16)
        == TransformRecord("other", [("words", .string(sentence))]))
  }
}
