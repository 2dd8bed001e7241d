import Architectures
import Foundations
import ModelFiles
import Runtime
import TensorTypes

/// What is particular to experts: which are still copies of each other, and where tokens are sent.
struct ExpertsCheck {
  let file: ModelFile

  /// Whether the model has experts at all.
  var applies: Bool { !layers.isEmpty }

  private var layers: [(index: Int, experts: FeedForward.Experts)] {
    file.description.layers.enumerated().compactMap { index, layer in
      layer.feedForward.experts.map { (index, $0) }
    }
  }

  /// Every expert is there once and holds something; routers of zeros and equal copies are named,
  /// because they carry no knowledge.
  func coverage() throws -> CheckResult {
    var experts = 0, zeroRouters = 0, equalLayers = 0
    for (layer, layout) in layers {
      let router = try file.view(TensorAddress(.router, layer: layer))
      if router.bytes.allSatisfy({ $0 == 0 }) { zeroRouters += 1 }
      experts += layout.routed + (layout.shared > 0 ? 1 : 0)
      if try areEqual(layer, layout.routed) { equalLayers += 1 }
    }
    var detail =
      "\(counted(experts, "expert")) in \(counted(layers.count, "layer")), each present once and none all zero"
    if zeroRouters > 0 { detail += "; \(zeroRouters) routers are zero and carry no knowledge" }
    if equalLayers > 0 {
      detail += "; in \(counted(equalLayers, "layer")) all routed experts are equal"
    }
    return .passed("experts", detail)
  }

  /// Whether all routed experts of a layer hold the same bytes.
  private func areEqual(_ layer: Int, _ count: Int) throws -> Bool {
    guard count > 1 else { return false }
    for role in [TensorAddress.Role.ffnGate, .ffnUp, .ffnDown] {
      func view(_ expert: Int) throws -> TensorView {
        try file.view(TensorAddress(role, layer: layer, expert: .routed(expert)))
      }
      let first = try view(0)
      defer { first.discard() }
      for expert in 1..<count {
        let other = try view(expert)
        defer { other.discard() }
        guard first.bytes.elementsEqual(other.bytes) else { return false }
      }
    }
    return true
  }

  /// Routing probabilities are probabilities, for seeded tokens.
  func routing(of model: Model, tokens: [Int]) throws -> CheckResult {
    var wrong: Int?
    var loads: [Int] = []
    var state = DecodingState(for: model.description)
    _ = try model.extend(
      &state, with: tokens,
      observeRouting: { layer, routing in
        if !routing.probabilities.allSatisfy({ $0 >= 0 && $0 <= 1 }) { wrong = wrong ?? layer }
        if let experts = model.description.layers[layer].feedForward.experts {
          loads += routing.load(of: experts.routed)
        }
      })
    if let wrong {
      return .failed("routing", "layer \(wrong) has routing probabilities that are not finite")
    }
    return .passed(
      "routing",
      "probabilities are finite; each expert was sent \(loads.min() ?? 0) to \(loads.max() ?? 0) "
        + "of \(counted(tokens.count, "token"))")
  }
}
