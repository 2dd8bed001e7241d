import StrictJSON
import TestSupport
import Testing

@testable import Architectures

/// Where the base and the scaling of the rotary embedding may be written, and which counts. What
/// transformers computes for each is in ConfigurationFieldTests.
struct RotarySpellingTests {
  private let absent: JSONValue? = nil

  /// The rotary embedding of a Llama with `changes`, and what is told.
  private func rotary(
    _ changes: [String: JSONValue?]
  ) throws -> (rotary: RotaryParameters, notes: [String]) {
    let configuration = try TinyModel.llama.configuration(changes)
    let model = try Llama.describe(configuration)
    return (model.rotary, try configuration.restNotes())
  }

  @Test func `the base at the top stays beside an object that does not hold it`() throws {
    for object in [["rope_type": "default"], [:], .null] as [JSONValue] {
      for key in ["rope_parameters", "rope_scaling"] {
        let found = try rotary(["rope_theta": 5e5, key: object])
        #expect(found.rotary == RotaryParameters(theta: 5e5), "\(key) \(object.compact)")
        #expect(found.notes == [])
      }
    }
  }

  @Test func `the base in an object counts, under either name`() throws {
    for key in ["rope_parameters", "rope_scaling"] {
      for type in ["type", "rope_type"] {
        let object: JSONValue = .object(
          JSONObject([(type, "linear"), ("factor", 2.0), ("rope_theta", 5e5)]))
        let found = try rotary(["rope_theta": absent, key: object])
        #expect(found.rotary == RotaryParameters(theta: 5e5, scaling: .linear(factor: 2)))
        #expect(found.notes == [])
      }
    }
  }

  @Test func `of two bases that differ the object's counts, and that is told`() throws {
    let found = try rotary(["rope_theta": 1e4, "rope_parameters": ["rope_theta": 5e5]])
    #expect(found.rotary.theta == 5e5)
    #expect(found.notes.count == 1 && found.notes[0].contains("rope_parameters.rope_theta"))
    #expect(try rotary(["rope_theta": 5e5, "rope_parameters": ["rope_theta": 5e5]]).notes == [])
  }

  @Test func `of two objects rope_scaling counts whole, and that is told`() throws {
    let found = try rotary([
      "rope_theta": absent, "rope_parameters": ["rope_theta": 5e5, "rope_type": "default"],
      "rope_scaling": ["rope_type": "linear", "factor": 2.0],
    ])
    #expect(found.rotary == RotaryParameters(theta: 10_000, scaling: .linear(factor: 2)))
    #expect(found.notes.count == 1 && found.notes[0].contains("rope_scaling and rope_parameters"))
  }

  @Test func `type counts less than rope_type, and that is told`() throws {
    let found = try rotary([
      "rope_scaling": ["type": "default", "rope_type": "linear", "factor": 2.0]
    ])
    #expect(found.rotary.scaling == .linear(factor: 2))
    #expect(found.notes.count == 1 && found.notes[0].contains("rope_type"))
  }

  @Test func `Llama 3's ramp refers to the top, the object, or the longest context`() throws {
    let ramp: JSONValue = [
      "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    ]
    func positions(_ changes: [String: JSONValue?]) throws -> Int? {
      guard case .llama3(_, _, _, let positions) = try rotary(changes).rotary.scaling else {
        return nil
      }
      return positions
    }
    var own = try #require(ramp.object)
    own["original_max_position_embeddings"] = 32
    #expect(try positions(["rope_scaling": ramp]) == 512)
    #expect(try positions(["rope_scaling": ramp, "max_position_embeddings": absent]) == 2048)
    #expect(try positions(["rope_scaling": .object(own)]) == 32)
    #expect(
      try positions(["rope_scaling": .object(own), "original_max_position_embeddings": 64]) == 64)
  }

  @Test func `what an object holds beyond its type is refused by its path`() throws {
    for (changes, words) in [
      (
        ["rope_scaling": ["type": "linear", "factor": 2.0, "beta_fast": 32]],
        "rope_scaling.beta_fast"
      ),
      (["rope_parameters": ["rope_type": "default", "factor": 2.0]], "rope_parameters.factor"),
      (
        ["rope_parameters": ["full_attention": ["rope_theta": 5e5]]],
        "rope_parameters.full_attention"
      ),
      (["rope_parameters": ["rope_theta": .null]], "rope_parameters.rope_theta"),
    ] as [([String: JSONValue?], String)] {
      #expect {
        try rotary(changes)
      } throws: { error in
        (error as? ConfigurationError)?.what.contains("\"\(words)\"") == true
      }
    }
  }
}
