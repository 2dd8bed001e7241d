import Architectures
import Checkpoints
import Conversion
import Mixers
public import ModelFiles
public import StepSettings
import StrictJSON
import TensorTypes

/// `w8aspike`: the directory that the public W8ASpike code loads, floating-point weights with scales
/// that it rounds them to when it runs. Its layout is `formats/w8aspike/README.md`.
public enum W8ASpikeProfile: ExportProfile {
  public static let name = "w8aspike"
  public static let loader = "the public W8ASpike code"

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    guard [.keep, .float32].contains(settings.dtype) else {
      throw ExportError.type(
        profile: name, asked: settings.dtype.rawValue, needed: ScalarType.float32.rawValue)
    }
    if file.form == .w8aspike { return try unchanged(file) }
    let obstacles = W8ASpike.obstacles(to: file.description)
    guard obstacles.isEmpty else {
      throw ExportError.cannotHold(profile: name, what: obstacles, path: file.path)
    }
    let k = try threshold(file)
    let variant = W8ASpike.variant(of: file.description, k: k)
    var configuration = GLASwa.configuration(of: variant)
    configuration[W8ASpike.thresholdKey] = .double(k)
    return ExportContents(
      description: variant, configuration: configuration,
      tensors: try variant.requirements.flatMap { requirement in
        try W8ASpikeTensors(file: file, requirement: requirement).planned
      },
      notes: notes(file, variant, k: k))
  }

  /// A checkpoint of this form as it is.
  private static func unchanged(_ file: ModelFile) throws -> ExportContents {
    ExportContents(
      description: file.description, configuration: file.configuration.object,
      tensors: try file.stored.tensors.map { tensor in
        .init(
          nil, name: tensor.name, shape: tensor.shape, type: tensor.type,
          transform: CopyTransform(
            try file.stored.view(tensor.name), named: tensor.name, as: tensor.type))
      },
      notes: [])
  }

  /// The one k of the projections that the public code spikes; its own when nothing is spiked yet.
  private static func threshold(_ file: ModelFile) throws -> Double {
    guard let spiking = file.description.spiking else { return W8ASpike.defaultThreshold }
    let sites = file.description.spikingSites.filter {
      $0.projection != .ffnDown && $0.projection != .rotatedQuery && spiking[$0] != nil
    }
    guard let first = sites.first, let k = spiking[first] else { return W8ASpike.defaultThreshold }
    if let other = sites.first(where: { spiking[$0] != k }), let otherK = spiking[other] {
      throw ExportError.thresholds(
        profile: name, first: "\(k) at \(first.name)", second: "\(otherK) at \(other.name)",
        path: file.path)
    }
    return k
  }

  /// What the public code computes differently from `file` as this program runs it.
  private static func notes(
    _ file: ModelFile, _ variant: ModelDescription, k: Double
  ) -> [String] {
    var notes = [
      "Needs the public W8ASpike code (quant_linear.py) and a model class that uses it; "
        + "flash-linear-attention 0.1."
    ]
    if k != W8ASpike.defaultThreshold {
      notes.append(
        "k = \(k): the public code does not read \(W8ASpike.thresholdKey) from config.json; pass it "
          + "to QuantLinear.")
    }
    let model = file.description
    func spiked(_ model: ModelDescription) -> Set<SpikingSettings.Projection> {
      Set(model.spikingSites.filter { model.spiking?[$0] != nil }.map(\.projection))
    }
    func names(_ projections: Set<SpikingSettings.Projection>) -> String {
      projections.map(\.rawValue).sorted().joined(separator: ", ")
    }
    let ours = spiked(model), theirs = spiked(variant)
    if !theirs.subtracting(ours).isEmpty {
      notes.append(
        "The public code spikes what was not spiked: \(names(theirs.subtracting(ours))).")
    }
    if !ours.subtracting(theirs).isEmpty {
      notes.append(
        "The public code does not spike what was spiked: \(names(ours.subtracting(theirs))).")
    }
    let queries = Set(
      model.spikingSites.filter { $0.projection == .rotatedQuery }.compactMap { model.spiking?[$0] }
    ).subtracting([W8ASpike.defaultThreshold])
    if !queries.isEmpty {
      notes.append("The public code spikes rotated queries at k = \(W8ASpike.defaultThreshold).")
    }
    if model.spiking?.cache != .int8, variant.layers.contains(where: \.mixer.isSoftmax) {
      notes.append("The public code rounds keys and values to INT8.")
    }
    if model.spiking?.winners != nil {
      notes.append("Winners are left out: the public code computes all neurons.")
    }
    if variant.layers.contains(where: \.mixer.isLinear) {
      notes.append(
        "Decay gates are multiplied out to one matrix and rounded to INT8 by largest magnitude / 127 "
          + "per group of \(W8ASpike.groupSize).")
    }
    notes.append("Weights are stored in float32, as that code reads them.")
    if model.quantization == nil {
      notes.append(
        "The weights were in floating point: they are rounded by largest magnitude / 127 per group; "
          + "`calibrate --weights int8` first loses less.")
    }
    return notes + variant.publicWindowNotes
  }
}
