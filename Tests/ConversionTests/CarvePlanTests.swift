import Architectures
import Foundations
import ModelFiles
import StepSettings
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// Dense feed-forward parts divided among experts.
struct CarvePlanTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llamaBias.synthesize(to: directory("s"))
  }

  /// 112 neurons: 40 shared, and 6 experts of 12.
  private func plan(
    _ partition: NeuronPartition? = nil, change: (inout UpcycleSettings) -> Void = { _ in }
  ) throws -> CheckpointPlan {
    var settings = UpcycleSettings()
    settings.carve = 40
    settings.experts = 6
    settings.topK = 2
    settings.denseLayers = .list([0])
    change(&settings)
    return try UpcyclePlan.make(
      from: DenseModel(ModelFile.open(directory("s"))), settings: settings, partition: partition)
  }

  private func values(_ name: String, of plan: CheckpointPlan) throws -> [Float] {
    let tensor = try #require(plan.tensors.first { $0.name == name }, "\(name)")
    var bytes: [UInt8] = []
    try tensor.transform.produce(block: 1000) { bytes += Array($0) }
    #expect(bytes.count == tensor.byteCount)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private func source(_ name: String) throws -> [Float] {
    try CheckpointEdit(directory("s")).floats("model.layers.1.mlp.\(name)")
  }

  /// Any order of the neurons: 37 and 112 have no common factor.
  private let order = (0..<112).map { ($0 * 37 + 5) % 112 }

  @Test func `every neuron goes to one expert, byte for byte`() throws {
    let plan = try plan(NeuronPartition([1: order, 2: order]))
    #expect(
      plan.description.layers[1].feedForward
        == .experts(
          .init(routed: 6, shared: 1, chosen: 2, size: 12, sharedSize: 40, weighting: .one)))
    let owners = [("shared_expert", 0, 40)] + (0..<6).map { ("experts.\($0)", 40 + 12 * $0, 12) }
    let gate = try source("gate_proj.weight"), bias = try source("up_proj.bias")
    let down = try source("down_proj.weight"), downBias = try source("down_proj.bias")
    for (owner, first, count) in owners {
      let neurons = order[first..<first + count], prefix = "model.layers.1.mlp.\(owner)."
      #expect(
        try values(prefix + "gate_proj.weight", of: plan)
          == neurons.flatMap { gate[$0 * 64..<($0 + 1) * 64] })
      #expect(try values(prefix + "up_proj.bias", of: plan) == neurons.map { bias[$0] })
      #expect(
        try values(prefix + "down_proj.weight", of: plan)
          == (0..<64).flatMap { row in neurons.map { down[row * 112 + $0] } })
      // The bias is added once.
      #expect(
        try values(prefix + "down_proj.bias", of: plan)
          == (owner == "shared_expert" ? downBias : downBias.map { _ in 0 }))
    }
    #expect(plan.notes.contains { $0.contains("64 of the 112 neurons") && $0.contains("57 %") })
  }

  @Test func `planned weights tell the experts apart`() throws {
    let plan = try plan(), weights = PlannedWeights(plan)
    let gate = try source("gate_proj.weight")
    for expert in 0..<6 {
      let view = try weights.view(TensorAddress(.ffnGate, layer: 1, expert: .routed(expert)))
      let first = (40 + 12 * expert) * 64
      #expect(
        view.bytes.elementsEqual(gate[first..<first + 12 * 64].withUnsafeBytes { Array($0) }))
    }
  }

  @Test func `a partition that is none is refused, naming the neuron`() throws {
    func fault(_ change: (inout [Int]) -> Void) -> String {
      var wrong = order
      change(&wrong)
      do {
        _ = try plan(NeuronPartition([1: order, 2: wrong]))
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(fault { $0[3] = $0[9] } == "layer 2: neuron \(order[9]) belongs to two experts")
    #expect(fault { $0[3] = 112 } == "layer 2: there is no neuron 112")
    #expect(fault { $0.removeLast() } == "layer 2: experts have 111 of the 112 neurons")
    #expect(throws: ConversionError.self) { try plan(NeuronPartition([1: order])) }
  }

  @Test func `sizes that do not divide are refused with one that does`() throws {
    let error = ConversionError.indivisible(size: 112, shared: 41, experts: 6)
    #expect(throws: error) { try plan { $0.carve = 41 } }
    #expect(error.description.contains("71 neurons"))
    #expect(error.description.contains("that works is 40"))
    #expect(throws: ConversionError.indivisible(size: 112, shared: 110, experts: 6)) {
      try plan { $0.carve = 110 }
    }
  }
}
