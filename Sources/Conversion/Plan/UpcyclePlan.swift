import Architectures
import Checkpoints
import Foundation
import ModelFiles
public import StepSettings
import StrictJSON
public import TensorTypes

/// Dense feed-forward parts turned into experts that are scaled copies of them (report, section
/// 3.2): N routed ones of which a token passes through k, and S shared ones; or that are parts of
/// them, when they are carved.
public enum UpcyclePlan {
  /// The plan of upcycling `source` as `settings` ask.
  ///
  /// - Parameters:
  ///   - fitted: tensors computed on a text, which take the place of copies; a clustered or carved
  ///     router that is not among them is zero.
  ///   - partition: which expert gets which neurons when they are carved; nil for their order in the
  ///     dense part.
  public static func make(
    from source: DenseModel, settings: UpcycleSettings,
    fitted: [TensorAddress: TensorView] = [:], partition: NeuronPartition? = nil
  ) throws -> CheckpointPlan {
    let target = try upcycled(source.description, settings: settings)
    let partition = partition ?? NeuronPartition(inOrder: target)
    if settings.carve != nil { try partition.check(against: target) }
    let router: Computation = settings.carve == nil ? .clustered : .fittedToNeurons
    let tensors = try target.requirements.map { requirement in
      guard let name = SpikingBrainLayout.names.name(of: requirement.address) else {
        throw ConversionError.noName("\(requirement.address)")
      }
      let type = try outputType(of: requirement.address, source, settings)
      let transform: any TensorTransform
      if let view = fitted[requirement.address] {
        transform = ReplacementTransform(
          view, as: type,
          by: requirement.address.role == .router ? router : .refitted)
      } else if settings.carve != nil, let expert = requirement.address.expert {
        transform = try carved(
          requirement, of: expert, as: type, from: source, to: target, partition)
      } else {
        transform = try self.transform(
          for: requirement, named: name, as: type, from: source, to: target, settings)
      }
      return CheckpointPlan.PlannedTensor(
        requirement.address, name: name, shape: requirement.shape, type: type,
        transform: transform)
    }
    var configuration = SpikingBrainLayout.configuration(of: target)
    configuration["torch_dtype"] = .string(tensors.first?.type.rawValue ?? "float32")
    return CheckpointPlan(
      description: target, configuration: configuration, tensors: tensors,
      companions: source.companions, shardSize: settings.shardSize,
      recipe: JSONObject(step: .upcycle, settings: settings.fields, before: source.recipe),
      source: source.origin, notes: source.notes + notes(target, settings, tensors))
  }

  /// The model that `source` becomes.
  static func upcycled(
    _ source: ModelDescription, settings: UpcycleSettings
  ) throws -> ModelDescription {
    let depth = source.layers.count
    guard source.layers.allSatisfy({ $0.feedForward == .dense }) else {
      throw ConversionError.hasExperts
    }
    guard source.quantization == nil else { throw ConversionError.hasQuantizedWeights }
    let dense =
      try settings.denseLayers?.layers(depth: depth, option: "--dense-layers")
      ?? UpcycleKeys.denseLayersOfPaper.filter { $0 < depth }
    guard dense.count < depth else { throw ConversionError.nothingToUpcycle(depth: depth) }
    let experts = try experts(of: source, settings)
    var target = source
    target.modelType = SpikingBrainLayout.modelType
    for layer in 0..<depth where !dense.contains(layer) {
      target.layers[layer].feedForward = .experts(experts)
    }
    return target
  }

  private static func transform(
    for requirement: ModelDescription.Requirement, named name: String, as type: ScalarType,
    from source: DenseModel, to target: ModelDescription, _ settings: UpcycleSettings
  ) throws -> any TensorTransform {
    let address = requirement.address
    if address.role == .router {
      guard case .random(let deviation) = settings.router else {
        return ConstantTransform(0, shape: requirement.shape, as: type)
      }
      // Uniform within √3 · STD has the standard deviation STD.
      return UniformTransform(
        bound: deviation * 3.0.squareRoot(), seed: settings.seed, label: name,
        shape: requirement.shape, as: type)
    }
    let part = try part(address, source)
    guard let view = part.view else {
      return part.transform
        ?? HoleTransform(byteCount: requirement.shape.byteCount(type) ?? 0)
    }
    guard address.expert != nil, let layer = address.layer,
      let experts = target.layers[layer].feedForward.experts
    else { return copy(view, part, as: type) }
    let copies = address.expert == .shared ? experts.shared : 1
    let isDown = address.role == .ffnDown, isBias = address.parameter == .bias
    let factor = factor(address, settings) * (isDown && isBias ? Float(copies) : 1)
    if factor == 1, copies == 1 { return copy(view, part, as: type) }
    return ScaledTransform(
      view, named: part.name, by: factor, rowRepeats: isDown ? 1 : copies,
      columnRepeats: isDown && !isBias ? copies : 1, as: type)
  }

  static func copy(
    _ view: TensorView, _ part: DenseModel.Part, as type: ScalarType
  ) -> any TensorTransform {
    if let transform = part.transform, part.type == type { return transform }
    if view.rounding == nil || view.rounding == type {
      return CopyTransform(view, named: part.name, as: type)
    }
    return ScaledTransform(view, named: part.name, by: 1, as: type)
  }

  /// What makes the sum of copies the dense part again.
  private static func factor(_ address: TensorAddress, _ settings: UpcycleSettings) -> Float {
    let all = 1 / (Double(settings.shared) + settings.routedWeight)
    switch (settings.scale, address.role, address.parameter) {
    case (_, .ffnDown, .bias), (.exact, .ffnDown, _): return Float(all)
    case (.exact, _, _): return 1
    case (.cuberoot, _, _): return Float(cbrt(all))
    }
  }

  static func part(
    _ address: TensorAddress, _ source: DenseModel
  ) throws -> DenseModel.Part {
    var dense = address
    dense.expert = nil
    guard let part = source.parts[dense] else { throw ConversionError.noName("\(dense)") }
    return part
  }

  /// The type a tensor is written in; routers take that of the layer's gate projection.
  private static func outputType(
    of address: TensorAddress, _ source: DenseModel, _ settings: UpcycleSettings
  ) throws -> ScalarType {
    let like = address.role == .router ? TensorAddress(.ffnGate, layer: address.layer) : address
    return try settings.dtype.applied(to: try part(like, source).type)
  }

  /// What a user should know about the result.
  static func notes(
    _ target: ModelDescription, _ settings: UpcycleSettings,
    _ tensors: [CheckpointPlan.PlannedTensor]
  ) -> [String] {
    let beginning =
      switch settings.router {
      case _ where settings.carve != nil: carved(target)
      case .zero:
        "The routers are zero and carry no knowledge: tokens are spread evenly by id and position, "
          + copies
      case .random: "The routers are random and carry no knowledge, " + copies
      case .clustered:
        tensors.contains { $0.transform.record.computation == .refitted }
          ? "The experts are refitted to the regions that the routers send them."
          : "The routers know regions of the text, " + copies
      }
    var notes = [beginning]
    if settings.scale == .cuberoot {
      notes.append(
        "gate, up and down are scaled by the cube root, as in the report: SiLU makes the result "
          + "approximate. --scale exact changes nothing.")
    }
    if target.spiking != nil {
      notes.append(
        "The spiking thresholds are those of the dense model, which every expert uses as its own; "
          + "`calibrate` measures the experts' own.")
    }
    let scaled = tensors.filter { $0.transform.record.kind == .scaled }.map(\.type)
    if let type = scaled.first(where: { $0 != .float32 }) {
      notes.append(
        "Scaled weights are rounded to \(type.rawValue); --dtype float32 keeps them to 1e-7.")
    }
    return notes
  }

  private static func carved(_ target: ModelDescription) -> String {
    let active = target.layers.compactMap(\.feedForward.experts).first?.activeSize ?? 0
    let share = 100 * Double(active) / Double(max(1, target.feedForwardSize))
    return "A token passes through \(active) of the \(target.feedForwardSize) neurons of a carved "
      + "feed-forward part (\(Int(share.rounded())) %) and lacks the others: `evaluate` says what "
      + "that costs."
  }

  private static let copies =
    "and the experts are copies of each other. Until it is trained the model is worth no more than "
    + "the dense one."

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
