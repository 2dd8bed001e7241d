import Architectures
import Foundations
import Kernels
import ModelFiles
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// Numbers that are not finite are named, whatever tensor they are in, and never pass for a result.
struct NotFiniteTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(20)

  init() throws { directory = try TemporaryDirectory() }

  private static let models = [
    "gla_swa", "spikingbrain", "intra-layer", "experts", "carved", "qwen3", "llama-bias",
    "qwen2-tied",
  ]

  /// The float tensors that reading `tokens` uses.
  private func used(_ model: Model) throws -> [ModelDescription.Requirement] {
    var experts: Set<[Int]> = []
    var state = DecodingState(for: model.description)
    _ = try model.extend(
      &state, with: tokens,
      observeRouting: { layer, routing in
        for expert in routing.experts { experts.insert([layer, expert]) }
      })
    return model.description.requirements.filter { requirement in
      guard case .routed(let expert) = requirement.address.expert else { return true }
      return experts.contains([requirement.address.layer ?? 0, expert])
    }
  }

  private func run(_ model: Model, stepwise: Bool = false) throws {
    var state = DecodingState(for: model.description)
    let hidden = try model.extend(&state, with: tokens, stepwise: stepwise)
    let logits = try model.logits(hidden, rows: 0..<tokens.count)
    #expect(logits.firstNotFinite() == nil)
  }

  /// The model of `base` with `values(view)` in the place of one tensor.
  private func model(
    _ base: Model, _ file: ModelFile, replacing address: TensorAddress,
    by values: @escaping @Sendable (TensorView) -> [Float]
  ) throws -> Model {
    let weights = NamedWeights(base: file, address: address, values: values)
    return try Model(base.description, weights: weights)
  }

  @Test(arguments: models)
  func `one number that is none in any tensor is named by its place`(_ name: String) throws {
    let base = try synthesized(name, in: directory), file = try ModelFile.open(directory(name))
    let token = tokens[3]
    for (index, requirement) in try used(base).enumerated() {
      let bad: Float = [.nan, .infinity, -.infinity][index % 3]
      let address = requirement.address
      let error = #expect(throws: RuntimeError.self, "\(address)") {
        let model = try model(base, file, replacing: address) { view in
          var values = view.floats
          // A row that the text uses.
          values[address.role == .embedding ? token * view.columns + 5 : values.count / 2] = bad
          return values
        }
        try run(model, stepwise: index % 2 == 0)
      }
      guard case .weight(let tensor, let value, _) = error else {
        Issue.record("\(address) in \(name): \(String(describing: error))")
        continue
      }
      #expect(tensor == "planted \(address)" && (value == bad || value.isNaN && bad.isNaN))
    }
  }

  @Test(arguments: models)
  func `finite numbers too large to compute with are named`(_ name: String) throws {
    let base = try synthesized(name, in: directory), file = try ModelFile.open(directory(name))
    for requirement in try used(base) where requirement.address.parameter == .weight {
      let error = #expect(throws: RuntimeError.self, "\(requirement.address)") {
        let model = try model(base, file, replacing: requirement.address) {
          $0.floats.map { $0 < 0 ? -3e38 : 3e38 }
        }
        try run(model)
      }
      #expect(error?.isNotFinite == true, "\(requirement.address): \(String(describing: error))")
    }
  }

  @Test func `a stream that a norm would make zeros of is an overflow`() throws {
    let base = try synthesized("gla_swa", in: directory)
    let file = try ModelFile.open(directory("gla_swa"))
    let address = TensorAddress(.ffnDown, layer: 1)
    let model = try model(base, file, replacing: address) { $0.floats.map { $0 * 1e24 } }
    let error = #expect(throws: RuntimeError.self) { try run(model) }
    #expect(try #require(error).description.contains("after layer 1"))
  }

  @Test func `names are those of the files`() throws {
    _ = try synthesized("gla_swa", in: directory)
    let name = "model.layers.1.mlp.down_proj.weight"
    try CheckpointEdit(directory("gla_swa")).overwrite(name, element: 3, with: [.nan])
    let error = #expect(throws: RuntimeError.self) { try run(openModel(directory("gla_swa"))) }
    #expect(
      try #require(error).what.hasPrefix("\(name) in \(directory("gla_swa")) holds nan at [0, 3]"))
  }
}

/// A source with one tensor replaced, which has a name of its own.
private struct NamedWeights: WeightSource {
  let base: any WeightSource
  let address: TensorAddress
  let values: @Sendable (TensorView) -> [Float]

  func view(_ address: TensorAddress) throws -> TensorView {
    let view = try base.view(address)
    return address == self.address ? MemoryStorage.view(values(view), shape: view.shape) : view
  }

  func name(of address: TensorAddress) -> String {
    address == self.address ? "planted \(address)" : base.name(of: address)
  }
}
