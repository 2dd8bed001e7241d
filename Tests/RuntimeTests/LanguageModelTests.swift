import Architectures
import Checkpoints
import Foundations
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Runtime

/// Models of several parts, saved by transformers: what reads text in them is a source, the rest is named.
///
/// Tests/Reference/make_source_fixtures.py makes the fixtures.
struct LanguageModelTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The fixture of `kind` with another config.json.
  private func write(
    _ kind: String, _ change: (inout JSONObject) throws -> Void = { _ in }
  ) throws -> String {
    let fixture = Repository.fixture("sources/\(kind)")
    var object = try JSONFile.object("\(fixture)/config.json")
    try change(&object)
    try directory.write("s/config.json", JSONValue.object(object).compact)
    try directory.write("s/model.safetensors", try Files.bytes("\(fixture)/model.safetensors"))
    return directory("s")
  }

  static let parts = [
    ("qwen2_5_vl", "not visual"), ("qwen3_vl", "not visual"),
    ("gemma3", "not vision_tower, multi_modal_projector"),
    ("mistral3", "not vision_tower, multi_modal_projector"),
  ]

  @Test(arguments: parts)
  func `compute what transformers computes on text`(_ kind: String, _ others: String) throws {
    let file = try ModelFile.open(write(kind))
    try file.requireSound()
    #expect(file.notes.contains { $0.contains(others) }, "\(file.notes)")
    let fixture = try SafetensorsFile(
      path: Repository.fixture("sources/\(kind)/golden.safetensors"))
    let tokens = try fixture.elements("tokens", as: Int32.self).map(Int.init)
    let expected = try fixture.elements("logits", as: Float.self)
    let model = try Model(file.description, weights: file)
    #expect(difference(try model.logits(tokens), expected) < GoldenLogitsTests.tolerance)

    try TinyModel.convert(directory("s"), to: directory("c")) { $0.window = 6 }
    let converted = try ModelFile.open(directory("c"))
    let mixer = Mixer.window(.init(size: 7))
    let left = try Model(file.description.withAllLayers(mixer), weights: file)
    let right = try Model(converted.description.withAllLayers(mixer), weights: converted)
    #expect(try left.logits(tokens) == right.logits(tokens))
  }

  @Test func `older files have the keys of the language model among their own`() throws {
    let nested = try ModelFile.open(write("qwen2_5_vl"))
    let flat = try ModelFile.open(
      write("qwen2_5_vl") { object in
        let text = try #require(object["text_config"]?.object)
        object["text_config"] = nil
        for (key, value) in text.members where key != "model_type" { object[key] = value }
        object["rope_parameters"] = nil
        object["rope_theta"] = 500.0
        object["rope_scaling"] = ["type": "mrope", "mrope_section": [1, 2, 1]]
      })
    #expect(flat.description == nested.description)
    #expect(flat.problems == [] && flat.notes.contains { $0.contains("not visual") })
  }

  @Test(arguments: ["qwen2_5_vl", "qwen3_vl", "gemma3"])
  func `a part that does not name itself is what the class has`(_ kind: String) throws {
    let named = try ModelFile.open(write(kind))
    let unnamed = try ModelFile.open(
      write(kind) { object in
        var text = try #require(object["text_config"]?.object)
        text["model_type"] = nil
        object["text_config"] = .object(text)
      })
    #expect(named.description == unnamed.description)
  }

  @Test func `a cap of logits that transformers leaves out is refused`() throws {
    let path = try write("gemma3") { object in
      var text = try #require(object["text_config"]?.object)
      text["final_logit_softcapping"] = 15.0
      object["text_config"] = .object(text)
    }
    let error = #expect(throws: ConfigurationError.self) { _ = try ModelFile.open(path) }
    #expect(error?.what.contains("text_config.final_logit_softcapping") == true)
  }

  @Test(arguments: ["qwen2_5_vl", "qwen3_vl"])
  func `sections that do not divide a head, and other scalings, are refused`(_ kind: String) throws
  {
    for (key, value) in [
      ("mrope_section", [9, 9, 9]), ("mrope_section", [4]), ("rope_type", "yarn"),
    ] as [(String, JSONValue)] {
      let path = try write(kind) { object in
        var text = try #require(object["text_config"]?.object)
        var rope = try #require(text["rope_parameters"]?.object)
        rope[key] = value
        text["rope_parameters"] = .object(rope)
        object["text_config"] = .object(text)
      }
      let error = #expect(throws: ConfigurationError.self) { _ = try ModelFile.open(path) }
      #expect(error?.what.contains("text_config.rope_parameters.\(key)") == true)
    }
  }
}
