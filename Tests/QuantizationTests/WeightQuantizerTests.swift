import Architectures
import Checkpoints
import Conversion
import Foundation
import Foundations
import Kernels
import ModelFiles
import Quantization
import Runtime
import StepSettings
import Streams
import StrictJSON
import TensorTypes
import TestSupport
import Testing
import Tokenization

/// Whole models to INT8: the embedded model, and experts of which some see no text.
@Suite struct WeightQuantizerTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func quantizer(
    _ file: ModelFile, in name: String, samples: [[Int]],
    change: (inout QuantizationSettings) -> Void = { _ in }
  ) throws -> WeightQuantizer {
    let work = directory(name)
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    var settings = QuantizationSettings()
    change(&settings)
    return try WeightQuantizer(
      model: file.description, weights: file, samples: samples, settings: settings,
      directory: work)
  }

  private func samples(_ file: ModelFile, count: Int, length: Int) throws -> [[Int]] {
    let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
    let tokens = try file.tokenizer.load().encode(bytes: text)
    return (0..<count).map { Array(tokens[$0 * length..<($0 + 1) * length]) }
  }

  /// Logits of some tokens under INT8 weights that lie over those of `file`.
  private func logits(
    _ model: ModelDescription, _ source: any WeightSource, _ tokens: [Int]
  ) throws -> [Float] {
    let model = try Model(model, weights: source)
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: tokens)
    let logits = try model.logits(hidden, rows: 0..<tokens.count)
    return withExtendedLifetime(logits) { Array(logits.elements) }
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    var error = 0.0, power = 0.0
    for (x, y) in zip(a, b) {
      error += pow(Double(x) - Double(y), 2)
      power += pow(Double(y), 2)
    }
    return (error / power).squareRoot()
  }

  private struct Interruption: Error {}

  @Test func `second-order rounding is closest, and a stopped run goes on`() throws {
    let file = try ModelFile.open(Repository.tinyQwen2)
    let pieces = try samples(file, count: 8, length: 64)
    let probe = try samples(file, count: 12, length: 64)[11]
    let exact = try logits(file.description, file, probe)
    var distances: [WeightRounding: Double] = [:]
    var whole = LayerTensors()
    for rounding in WeightRounding.allCases {
      let quantizer = try quantizer(file, in: rounding.rawValue, samples: pieces) {
        $0.rounding = rounding
      }
      var layers: [Int] = []
      whole = try quantizer.run(report: { layers.append($0.layer) })
      #expect(layers == Array(file.description.layers.indices))
      for report in try quantizer.finishedReports().flatMap(\.projections) {
        #expect(try #require(report.error) < 0.01 && !report.isIdle)
        #expect(report.codeBytes + report.scaleBytes <= Int(0.53 * Double(2 * report.codeBytes)))
      }
      for requirement in quantizer.quantised.requirements where requirement.type != nil {
        let view = try #require(whole.views[requirement.address])
        #expect(view.shape == requirement.shape && view.type == requirement.type)
        if view.type == .int8 { #expect(!view.bytes.contains(0x80)) }
      }
      distances[rounding] = distance(
        try logits(quantizer.quantised, Overlay(tensors: whole, below: file), probe), exact)
    }
    let nearest = try #require(distances[.nearest]), gptq = try #require(distances[.gptq])
    #expect(gptq < nearest && nearest < 0.02, "\(distances)")

    // `gptq` is the last of the cases, so `whole` is its result.
    #expect(throws: Interruption.self) {
      try quantizer(file, in: "stopped", samples: pieces).run(
        progress: { layer, share in if layer == 2 && share > 0.5 { throw Interruption() } })
    }
    var resumed: [Int] = []
    let rest = try quantizer(file, in: "stopped", samples: pieces).run(
      report: { resumed.append($0.layer) })
    #expect(resumed.first == 2)
    for (address, view) in whole.views {
      #expect(try #require(rest.views[address]).bytes.elementsEqual(view.bytes), "\(address)")
    }
  }

  @Test func `with 4 bits, second-order rounding is closest`() throws {
    let file = try ModelFile.open(Repository.tinyQwen2)
    let pieces = try samples(file, count: 8, length: 64)
    let probe = try samples(file, count: 12, length: 64)[11]
    let exact = try logits(file.description, file, probe)
    var distances: [WeightRounding: Double] = [:]
    for rounding in WeightRounding.allCases {
      let quantizer = try quantizer(file, in: "4" + rounding.rawValue, samples: pieces) {
        $0.rounding = rounding
        $0.quantization = WeightQuantization(.int4, .group(32))
      }
      let tensors = try quantizer.run()
      for report in try quantizer.finishedReports().flatMap(\.projections) {
        #expect(try #require(report.error) < 0.15)
        #expect(report.scaleBytes == report.codeBytes / 4)
      }
      distances[rounding] = distance(
        try logits(quantizer.quantised, Overlay(tensors: tensors, below: file), probe), exact)
    }
    let nearest = try #require(distances[.nearest]), gptq = try #require(distances[.gptq])
    #expect(gptq < nearest && nearest < 0.3, "\(distances)")
  }

  @Test func `experts that see no text are named and rounded by their layer`() throws {
    try TinyModel.synthesize(
      TinyModel.configuration("experts"), to: directory("experts"), seed: 3)
    let file = try ModelFile.open(directory("experts"))
    // One token: most of the routed experts stay idle.
    let quantizer = try quantizer(file, in: "idle", samples: [[7]]) { $0.rounding = .gptq }
    let tensors = try quantizer.run()
    let projections = try quantizer.finishedReports().flatMap(\.projections)
    let idle = projections.filter(\.isIdle)
    #expect(!idle.isEmpty && idle.allSatisfy { $0.name.contains(".experts.") })
    #expect(projections.contains { $0.name.contains("shared_expert") && !$0.isIdle })
    let model = try Model(
      quantizer.quantised, weights: Overlay(tensors: tensors, below: file))
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: [7, 8, 9])
    #expect(hidden.elements.allSatisfy { $0.isFinite })
  }

  /// Prefill and decoding agree, and the plan's checkpoint opens as what was planned.
  @Test func `a written checkpoint runs as it was measured`() throws {
    let file = try ModelFile.open(Repository.tinyQwen2)
    let pieces = try samples(file, count: 2, length: 32)
    let quantizer = try quantizer(file, in: "written", samples: pieces) {
      $0.quantization.granularity = .channel
      $0.rounding = .search
    }
    let tensors = try quantizer.run()
    let plan = try LayoutPlan.make(
      from: DenseModel(file), recipe: JSONObject([("step", "calibrate")]),
      shardSize: ByteSize(1 << 30)
    ).quantised(tensors.views, as: WeightQuantization(.int8, .channel))
    try TinyModel.write(plan, to: directory("out"))
    let written = try ModelFile.open(directory("out"))
    try written.requireSound()
    #expect(written.description.quantization == WeightQuantization(.int8, .channel))
    let all = try logits(
      quantizer.quantised, Overlay(tensors: tensors, below: file), pieces[1])
    #expect(try logits(written.description, written, pieces[1]) == all)
    let model = try Model(written.description, weights: written)
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: pieces[1], stepwise: true)
    let stepped = try model.logits(hidden, rows: 0..<pieces[1].count)
    #expect(distance(Array(stepped.elements), all) < 1e-5)
    #expect(throws: QuantizationError.alreadyQuantised) {
      try self.quantizer(written, in: "twice", samples: pieces)
    }
    #expect(throws: ConversionError.hasQuantizedWeights) {
      try UpcyclePlan.make(from: DenseModel(written), settings: UpcycleSettings())
    }
  }

  @Test func `numbers that are not finite are refused by name`() throws {
    try TinyModel.qwen2.synthesize(to: directory("nan"))
    try CheckpointEdit(directory("nan")).overwrite(
      "model.layers.1.mlp.up_proj.weight", element: 5, with: [.infinity])
    let file = try ModelFile.open(directory("nan"))
    let quantizer = try quantizer(file, in: "work", samples: [[1, 2, 3]]) {
      $0.rounding = .nearest
    }
    let error = #expect(throws: RuntimeError.self) { try quantizer.run() }
    #expect(
      try #require(error).description.contains(
        "model.layers.1.mlp.up_proj.weight in \(directory("nan")) holds inf at [0, 5]"))
  }
}
