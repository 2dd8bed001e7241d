public import Architectures
import Checkpoints
import Conversion
import Mixers
public import ModelFiles
public import StepSettings
import StrictJSON
import TensorTypes

/// A profile that writes what `compressed-tensors` and vLLM read: its scheme says all of it.
public protocol CompressedTensorsProfile: ExportProfile {
  /// How projections are stored.
  static var scheme: CompressedTensors { get }
}

extension CompressedTensorsProfile {
  public static var loader: String {
    "vLLM and what reads compressed-tensors, "
      + (scheme.roundsActivations ? "INT8" : "weight-only") + " kernels"
  }

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    try CompressedTensorsExport(profile: name, scheme: scheme, file: file, settings: settings)
      .contents()
  }
}

/// A checkpoint as `compressed-tensors` and vLLM read it: `formats/compressed-tensors/README.md`.
struct CompressedTensorsExport {
  let profile: String
  let scheme: CompressedTensors
  let file: ModelFile
  let settings: ExportSettings

  func contents() throws -> ExportContents {
    let form = try HuggingFaceForm(file, profile: profile)
    guard !form.architecture.names.hasPieces else {
      throw ExportError.cannotHold(
        profile: profile, what: ["projections that are stored several in one tensor"],
        path: file.path)
    }
    var configuration = form.configuration
    configuration[CompressedTensors.key] = scheme.configuration(
      ignoring: ["lm_head"] + Self.ownMaps(of: form.description).map { "re:.*\($0).*" })
    var description = form.description
    description.quantization = scheme.quantization
    return ExportContents(
      description: description, configuration: configuration,
      tensors: try form.description.requirements.flatMap { requirement in
        let name = try form.name(of: requirement.address)
        guard ModelDescription.quantizedRoles.contains(requirement.address.role),
          requirement.address.parameter == .weight
        else { return [try file.copy(requirement.address, named: name, dtype: settings.dtype)] }
        return try projection(requirement, named: name, form)
      },
      notes: form.notes + notes)
  }

  /// The modules of the linear maps that only mixers have, which stay as they are: the first parts of
  /// their tensors' names.
  private static func ownMaps(of model: ModelDescription) -> [String] {
    model.layers.indices.flatMap { model.mixerTensors(ofLayer: $0) }.filter(\.isMap)
      .compactMap { $0.name?.split(separator: ".").first }
      .reduce(into: [String]()) { if !$0.contains(String($1)) { $0.append(String($1)) } }
  }

  private func projection(
    _ requirement: ModelDescription.Requirement, named name: String, _ form: HuggingFaceForm
  ) throws -> [CheckpointPlan.PlannedTensor] {
    let shape = requirement.shape
    if case .group(let size) = scheme.quantization.granularity, shape.columns % size != 0 {
      throw ExportError.inputs(tensor: name, count: shape.columns, groupSize: size)
    }
    var scale = requirement.address
    scale.parameter = .scale
    guard
      let weight = QuantizedRows(
        try file.codeOrigin(requirement.address), scheme.quantization,
        scaleType: try scaleType, name: name)
    else { throw file.granularityError(profile: profile, needed: scheme.quantization) }
    func tensor(
      _ address: TensorAddress, _ name: String, _ shape: Shape, _ type: ScalarType,
      _ part: QuantizedTransform.Part
    ) -> CheckpointPlan.PlannedTensor {
      .init(
        address, name: name, shape: shape, type: type,
        transform: QuantizedTransform(weight: weight, part: part))
    }
    let scales = tensor(
      scale, try form.name(of: scale), [shape.rows, weight.groups], weight.scaleType, .scales)
    switch scheme.format {
    case .integers: return [tensor(requirement.address, name, shape, .int8, .codes), scales]
    case .packed:
      return [
        tensor(
          requirement.address, name + CompressedTensors.packedSuffix,
          [shape.rows, shape.columns * scheme.quantization.codes.bits / 32], .int32, .packedCodes),
        scales,
        .init(
          nil, name: name + CompressedTensors.shapeSuffix, shape: [2], type: .int64,
          transform: ShapeTransform(shape: shape)),
      ]
    }
  }

  /// INT8 kernels take float32 scales; those that widen weights take scales of the activations' type.
  private var scaleType: ScalarType {
    get throws {
      if scheme.roundsActivations { return .float32 }
      guard let embedding = file.tensors[TensorAddress(.embedding)] else { return .float32 }
      return settings.dtype.applied(to: embedding.type)
    }
  }

  private var notes: [String] {
    var notes: [String] = []
    if scheme.roundsActivations {
      notes.append(
        "The loader rounds activations to INT8, token by token, by largest magnitude / 127; this "
          + "program leaves them as they are.")
    }
    if let spiking = file.description.spiking {
      notes.append("Spiking thresholds are left out: no loader of this format spikes.")
      if spiking.winners != nil { notes.append("Winners are left out: all neurons are computed.") }
      if spiking.cache == .int8 { notes.append("Keys and values are not rounded to INT8 there.") }
    }
    // Scales of INT4 are numbers of bfloat16.
    let isExact = file.description.quantization?.codes == .int4
    if let type = try? scaleType, type != .float32, !(isExact && type == .bfloat16) {
      notes.append("Scales are rounded to \(type.rawValue); codes are not changed by that.")
    }
    if file.description.quantization == nil {
      notes.append(
        "The weights were in floating point: they are rounded to the nearest code by largest "
          + "magnitude / \(scheme.quantization.codes.largest) per "
          + "\(scheme.quantization.granularity.text); `calibrate --weights "
          + scheme.quantization.codes.rawValue
          + (scheme.quantization.granularity == .channel ? " --group-size channel" : "")
          + "` first loses less.")
    }
    return notes
  }
}
