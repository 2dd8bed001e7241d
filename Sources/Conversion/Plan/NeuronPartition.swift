public import Architectures
public import Checkpoints
import TensorTypes

/// Which neurons of dense feed-forward parts go to which expert: each to exactly one.
///
/// The manifest records it, so that a carved checkpoint can be made, and checked, again.
public struct NeuronPartition: Sendable, Equatable {
  /// By layer, the neurons in the order of their owners: those of the shared expert, then those of
  /// routed expert 0, 1 and so on.
  public let layers: [Int: [Int]]

  /// The partition of the given layers.
  public init(_ layers: [Int: [Int]]) { self.layers = layers }

  /// The partition that leaves all neurons in their order.
  init(inOrder model: ModelDescription) {
    let neurons = Array(0..<model.feedForwardSize)
    layers = model.layers.enumerated().reduce(into: [:]) { layers, layer in
      if layer.element.feedForward.experts != nil { layers[layer.offset] = neurons }
    }
  }

  /// The partition that `step`, an `upcycle`, recorded; empty when it recorded none.
  public init(recorded step: StepRecord?) {
    /// What is read of a carving's record.
    struct Carving: Decodable {
      struct Layer: Decodable {
        var layer: Int
        var neurons: [Int]
      }
      var layers: [Layer]
    }
    let carved = step?.found("fit", Carving.self)?.layers ?? []
    self.init(Dictionary(carved.map { ($0.layer, $0.neurons) }) { $1 })
  }

  /// Throws unless every neuron of every layer with experts in `model`, and nothing else, belongs to
  /// one expert.
  public func check(against model: ModelDescription) throws(ConversionError) {
    for (layer, kind) in model.layers.map(\.feedForward).enumerated() where kind != .dense {
      guard let neurons = layers[layer] else {
        throw .neurons(layer: layer, reason: "it is not recorded which expert has which neuron")
      }
      guard neurons.count == model.feedForwardSize else {
        throw .neurons(
          layer: layer,
          reason: "experts have \(neurons.count) of the \(model.feedForwardSize) neurons")
      }
      var seen = [Bool](repeating: false, count: neurons.count)
      for neuron in neurons {
        guard seen.indices.contains(neuron) else {
          throw .neurons(layer: layer, reason: "there is no neuron \(neuron)")
        }
        guard !seen[neuron] else {
          throw .neurons(layer: layer, reason: "neuron \(neuron) belongs to two experts")
        }
        seen[neuron] = true
      }
    }
  }

  /// The neurons of one expert of a layer.
  func neurons(
    of expert: TensorAddress.Expert, in layer: Int, _ experts: FeedForward.Experts
  ) -> [Int] {
    let all = layers[layer] ?? []
    switch expert {
    case .shared: return Array(all.prefix(experts.sharedSize))
    case .routed(let index):
      return Array(all.dropFirst(experts.sharedSize + index * experts.size).prefix(experts.size))
    }
  }
}
