import Architectures
import Checkpoints
import Kernels
import Mixers
import ModelFiles
import StepSettings
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// Logits against the Python reference (transformers, or an implementation from the formulas).
///
/// Tests/Reference/make_logits_fixtures.py makes the fixtures; the weights are synthesised here.
struct GoldenLogitsTests {
  /// A fixture and how its checkpoint is made.
  struct Golden: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var configuration: String
    var settings: ConvertSettings?

    /// A checkpoint that is synthesised.
    init(_ name: String) {
      testDescription = name
      configuration = name
    }

    /// A conversion of a synthesised checkpoint with windows of 6.
    init(_ name: String, from source: String, change: (inout ConvertSettings) -> Void = { _ in }) {
      testDescription = name
      configuration = source
      settings = TinyModel.settings {
        $0.window = 6
        change(&$0)
      }
    }

    func model(in directory: TemporaryDirectory) throws -> Model {
      if configuration == "tiny-qwen2" { return try openModel(Repository.tinyQwen2) }
      let model = try synthesized(configuration, in: directory)
      guard let settings else { return model }
      try TinyModel.convert(directory(configuration), to: directory("c")) { $0 = settings }
      return try openModel(directory("c"))
    }
  }

  static let all = [
    Golden("qwen2"), Golden("qwen2-tied"), Golden("qwen2-windowed"), Golden("qwen3"),
    Golden("mistral"), Golden("llama-bias"), Golden("llama-rope-linear"),
    Golden("llama-rope-llama3"), Golden("gla_swa"), Golden("spikingbrain"), Golden("tiny-qwen2"),
    Golden("experts"), Golden("carved"), Golden("intra-layer"),
    Golden("converted-qwen2", from: "qwen2"),
    Golden("converted-mistral-flash", from: "mistral") {
      $0.windowRule = .flash
      $0.gateBias = 1.5
    },
    Golden("converted-qwen3", from: "qwen3") {
      $0.attentionLayers = .list([0])
      $0.fullAttentionLayers = .list([2])
    },
    Golden("converted-llama3", from: "llama-rope-llama3"),
  ]

  /// Differences are relative to the largest value; float32 noise on these models is about 1e-6.
  static let tolerance = 2e-5

  @Test(arguments: all, [false, true])
  func `agree with the reference`(_ golden: Golden, _ stepwise: Bool) throws {
    let directory = try TemporaryDirectory()
    let model = try golden.model(in: directory)
    let fixture = try SafetensorsFile(
      path: Repository.fixture("logits/\(golden.testDescription).safetensors"))
    let tokens = try fixture.elements("tokens", as: Int32.self).map(Int.init)
    let expected = try fixture.elements("logits", as: Float.self)
    var stream: [Float] = []
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: tokens, stepwise: stepwise) { layer, _, hidden in
      if layer == model.description.layers.count { stream += hidden.values }
    }
    let rows = expected.count / model.description.vocabularySize
    let logits = try model.logits(hidden, rows: tokens.count - rows..<tokens.count)
    #expect(difference(logits.values, expected) < Self.tolerance)
    #expect(difference(stream, try fixture.elements("hidden", as: Float.self)) < Self.tolerance)
    #expect(state.position == tokens.count)
  }

  @Test func `the fixtures tell the windows apart`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.mistral.synthesize(to: directory("m"))
    let model = try openModel(directory("m"))
    let file = try ModelFile.open(directory("m"))
    let tokens = someTokens(24)
    for mixer in [
      Mixer.full, .window(.init(size: 7)), .window(.init(size: 8, rule: .flash)),
    ] {
      let other = try Model(model.description.withAllLayers(mixer), weights: file)
      #expect(difference(try other.logits(tokens), try model.logits(tokens)) > 1e-3)
    }
  }
}

extension SafetensorsFile {
  /// The elements of a tensor.
  func elements<Element: BitwiseCopyable>(_ name: String, as type: Element.Type) throws -> [Element]
  {
    let view = try view(name)
    return withExtendedLifetime(view) {
      stride(from: 0, to: view.bytes.count, by: MemoryLayout<Element>.size).map {
        view.bytes.loadUnaligned(fromByteOffset: $0, as: type)
      }
    }
  }
}
