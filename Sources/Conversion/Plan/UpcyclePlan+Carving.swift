import Architectures
import StepSettings
import TensorTypes

/// Experts that are parts of a dense feed-forward part instead of copies.
extension UpcyclePlan {
  /// The experts that a dense part of `source` becomes.
  static func experts(
    of source: ModelDescription, _ settings: UpcycleSettings
  ) throws -> FeedForward.Experts {
    let size = source.feedForwardSize
    guard let shared = settings.carve else {
      return FeedForward.Experts(
        routed: settings.experts, shared: settings.shared, chosen: settings.topK, size: size,
        // Between regions a probability below 1 would make copies less than the dense part.
        weighting: settings.router == .clustered ? .one : .softmax)
    }
    // An expert's own mean or winners would not be those of the dense part.
    if source.spiking != nil { throw ConversionError.cannotCarve("spiked activations") }
    guard shared + settings.experts <= size, (size - shared) % settings.experts == 0 else {
      throw ConversionError.indivisible(size: size, shared: shared, experts: settings.experts)
    }
    return FeedForward.Experts(
      routed: settings.experts, shared: 1, chosen: settings.topK,
      size: (size - shared) / settings.experts, sharedSize: shared, weighting: .one)
  }

  /// A tensor of an expert that has some of the dense part's neurons.
  static func carved(
    _ requirement: ModelDescription.Requirement, of expert: TensorAddress.Expert,
    as type: ScalarType, from source: DenseModel, to target: ModelDescription,
    _ partition: NeuronPartition
  ) throws -> any TensorTransform {
    let address = requirement.address
    let part = try part(address, source)
    guard let view = part.view, let layer = address.layer,
      let experts = target.layers[layer].feedForward.experts
    else { return HoleTransform(byteCount: requirement.shape.byteCount(type) ?? 0) }
    let isBias = address.parameter == .bias
    if isBias, address.role == .ffnDown {
      // It is added once, whichever experts are chosen.
      return expert == .shared
        ? copy(view, part, as: type) : ConstantTransform(0, shape: requirement.shape, as: type)
    }
    return NeuronTransform(
      view, named: part.name, neurons: partition.neurons(of: expert, in: layer, experts),
      along: isBias || address.role == .ffnDown ? .columns : .rows, of: expert, as: type)
  }
}
