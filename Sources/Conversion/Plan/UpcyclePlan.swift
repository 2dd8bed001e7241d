import Architectures
import Checkpoints
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
      source: source.summary, notes: notes(target, settings, tensors))
  }

  /// The model that `source` becomes.
  static func upcycled(
    _ source: ModelDescription, settings: UpcycleSettings
  ) throws -> ModelDescription {
    let depth = source.layers.count
    guard source.layers.allSatisfy({ $0.feedForward == .dense }) else {
      throw ConversionError.hasExperts
    }
    guard source.int8Weights == nil else { throw ConversionError.hasInt8Weights }
    let dense: [Int]
    if let selection = settings.denseLayers {
      if case .list(let layers) = selection, let outside = layers.first(where: { $0 >= depth }) {
        throw ConversionError.layerOutOfRange(
          option: "--dense-layers", layer: outside, depth: depth)
      }
      dense = (try? selection.resolved(depth: depth).get()) ?? []
    } else {
      dense = UpcycleKeys.denseLayersOfPaper.filter { $0 < depth }
    }
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
    case (.cuberoot, _, _): return Float(cubeRoot(all))
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
}
