import Architectures
import Checkpoints
package import Mixers
public import ModelFiles
public import StepSettings
import StrictJSON
import TensorTypes

/// The mapping of a Transformer to SpikingBrain weights: the inter-layer layout (SpikingBrain-7B), and
/// the intra-layer one (SpikingBrain-76B), in which every layer has both kinds of attention.
public enum ConversionPlan {
  /// What layers become that keep no softmax attention.
  package static let linear = Mixer.gatedLinear(.lowRank(GatedLinear.usualRank))

  /// The plan of converting `source` as `settings` ask.
  public static func make(
    from source: ModelFile, settings: ConvertSettings
  ) throws -> CheckpointPlan {
    guard source.architecture.isSource else {
      throw ConversionError.notASource(
        path: source.path, modelType: source.architecture.modelType)
    }
    try source.requireSound()
    guard source.description.quantization == nil else { throw ConversionError.hasQuantizedWeights }
    let target = try converted(source.description, settings: settings)
    let obstacles = GLASwa.obstacles(to: target)
    let layout: any ConvertedLayout.Type =
      obstacles.isEmpty ? GLASwa.self : SpikingBrainLayout.self
    let tensors = try TensorPlanner(
      source: source, target: target, names: layout.names, settings: settings
    ).tensors()
    var configuration = layout.configuration(of: target)
    configuration["torch_dtype"] = .string(tensors.first?.type.rawValue ?? "float32")
    let companionNotes = try source.tokenizerNotes() + source.noticeNotes()
    return CheckpointPlan(
      description: target, configuration: configuration, tensors: tensors,
      companions: try source.companionFiles(), shardSize: settings.shardSize,
      recipe: JSONObject(step: .convert, settings: settings.fields),
      source: source.origin,
      notes: source.notes + notes(source.description, target, obstacles)
        + intraLayerNotes(target, settings) + sizeNotes(source, tensors) + companionNotes)
  }

  /// The model that `source` becomes.
  static func converted(
    _ source: ModelDescription, settings: ConvertSettings
  ) throws -> ModelDescription {
    let depth = source.layers.count
    let full = try fullLayers(depth: depth, settings)
    let window = Mixer.Window(size: settings.window, rule: settings.windowRule)
    if settings.layout == .intraLayer {
      return try intraLayer(source, full: full, window: window, settings)
    }
    var windowed = Set(
      try settings.attentionLayers.layers(depth: depth, option: "--attention-layers"))
    if settings.attentionLayers == .odd {
      windowed.subtract(full)
    } else if let twice = windowed.intersection(full).min() {
      throw ConversionError.layerTwice(twice)
    }
    var target = source
    target.tiesEmbeddings = false
    target.biases.queryKeyValue = true
    target.layers = source.layers.enumerated().map { layer, described in
      described.with(
        full.contains(layer) ? .full : windowed.contains(layer) ? .window(window) : linear)
    }
    target.liftRotaryLimits()
    target.modelType =
      GLASwa.obstacles(to: target).isEmpty ? GLASwa.modelType : SpikingBrainLayout.modelType
    return target
  }

  /// The layers of a model `depth` layers deep that keep full attention.
  package static func fullLayers(
    depth: Int, _ settings: ConvertSettings
  ) throws(ConversionError) -> Set<Int> {
    guard let selection = settings.fullAttentionLayers else {
      return Set(settings.layout == .intraLayer ? reportFullLayers(depth: depth) : [])
    }
    return Set(try selection.layers(depth: depth, option: "--full-attention-layers"))
  }

  /// What a note begins with that a healing makes untrue.
  package static let copies = "Linear layers"

  private static func notes(
    _ source: ModelDescription, _ target: ModelDescription, _ obstacles: [String]
  ) -> [String] {
    var notes: [String] = []
    if !obstacles.isEmpty {
      notes.append(
        "Written in the spikingbrain layout, which the public SpikingBrain-7B code cannot load; "
          + "the public layout cannot hold: \(obstacles.joined(separator: ", ")).")
    }
    let linear = target.layers.count { $0.mixer.isOnlyLinear }
    if linear > 0 {
      notes.append(
        "\(copies) (\(linear)) start as copies, sound short-memory layers: until they are healed, the "
          + "model has lost its language.")
    }
    let narrowed = zip(source.layers, target.layers).contains { before, after in
      guard let window = after.mixer.window else { return false }
      if let old = before.mixer.window { return window.keys < old.keys }
      return window.keys < source.maximumPositions
    }
    if source.maximumPositions < SpikingBrainNames.leastPositions {
      notes.append(
        "config.json says \(SpikingBrainNames.leastPositions) positions, as the public model's does; "
          + "the source was made for \(source.maximumPositions).")
    }
    if let limit = source.longestText {
      notes.append(
        target.longestText.map {
          "Texts longer than \($0) tokens are refused: the source's rotary embeddings differ beyond "
            + "\(limit). Windows of at most \(limit) tokens, without full-attention layers and sinks, "
            + "have no such limit."
        }
          ?? "The rotary embeddings are those that the source has for texts up to \(limit) tokens, at any "
          + "position: no layer looks further back."
      )
    }
    if narrowed {
      notes.append(
        "The window is shorter than the source's attention: texts longer than the window are "
          + "read differently from the source.")
    }
    let widened = target.layers.indices.filter { layer in
      guard let old = source.layers[layer].mixer.window, target.layers[layer].mixer.isSoftmax else {
        return false
      }
      return (target.layers[layer].mixer.window?.keys ?? .max) > old.keys
    }
    if let first = widened.first, let old = source.layers[first].mixer.window {
      notes.append(
        "Layers \(widened.map(String.init).joined(separator: ", ")) see further than the source's window of "
          + "\(old.size): texts longer than that are read differently; --window \(old.size) keeps it."
      )
    }
    return notes
  }

  /// What happens to types and sizes on the way.
  private static func sizeNotes(
    _ source: ModelFile, _ tensors: [CheckpointPlan.PlannedTensor]
  ) -> [String] {
    var notes: [String] = []
    let quantised = source.reader.tensors.filter(\.type.isQuantised)
    if !quantised.isEmpty, let type = tensors.first?.type, type != .float32 {
      notes.append(
        "Quantised tensors (\(quantised.count)) are rounded to \(type.rawValue); --dtype float32 "
          + "keeps their exact values.")
    }
    if source.description.tiesEmbeddings {
      notes.append("The tied output head is written out, as the layout has no tied embeddings.")
    }
    return notes
  }

  /// Full attention is in every seventh layer of the report's model.
  static let fullAttentionPeriod = 7

  /// The layers with full attention when none are named: 6, 13, 20, …
  static func reportFullLayers(depth: Int) -> [Int] {
    Array(stride(from: fullAttentionPeriod - 1, to: depth, by: fullAttentionPeriod))
  }

  /// The model with parallel branches that `source` becomes.
  private static func intraLayer(
    _ source: ModelDescription, full: Set<Int>, window: Mixer.Window, _ settings: ConvertSettings
  ) throws -> ModelDescription {
    if let token = settings.intraLayer.sinkToken, token >= source.vocabularySize {
      throw ConversionError.tokenOutOfRange(
        option: "--sink-token", token: token, vocabulary: source.vocabularySize)
    }
    var target = source
    target.modelType = SpikingBrainLayout.modelType
    target.tiesEmbeddings = false
    target.sinkCount = settings.intraLayer.sinks
    target.branchNormEpsilon = settings.intraLayer.branchNormEpsilon
    target.layers = source.layers.enumerated().map { layer, described in
      described.with(.parallel(full.contains(layer) ? nil : window))
    }
    target.liftRotaryLimits()
    return target
  }

  /// What a user should know about parallel branches that were never trained.
  private static func intraLayerNotes(_ target: ModelDescription, _ settings: ConvertSettings)
    -> [String]
  {
    guard settings.layout == .intraLayer else { return [] }
    var notes: [String] = []
    let factors = settings.intraLayer.branchScale.numbers
    if factors.first == 0 {
      notes.append(
        "The linear branches start with factor 0: until they are trained, softmax attention "
          + "carries everything, and nothing older than the window is known outside of the "
          + "full-attention layers.")
    }
    if settings.intraLayer.branchNormEpsilon > 1 {
      notes.append(
        "branch_norm_eps is \(settings.intraLayer.branchNormEpsilon): the norms that merge the "
          + "branches start as plain factors. With --branch-norm-eps 1e-6 they normalise, and "
          + "the model starts far from the source.")
    }
    return notes
  }
}

extension LayerSelection {
  /// The selected layers of a model `depth` layers deep, ascending.
  ///
  /// - Throws: `layerOutOfRange` and `notMeasured`, which name `option`.
  func layers(depth: Int, option: String) throws(ConversionError) -> [Int] {
    switch resolved(depth: depth) {
    case .success(let layers): return layers
    case .failure(.outOfRange(let layer, _)):
      throw .layerOutOfRange(option: option, layer: layer, depth: depth)
    case .failure(.notMeasured(let count)): throw .notMeasured(option: option, count: count)
    }
  }
}

extension ModelDescription {
  /// The token that stands first in a text, where attention without anything to attend to goes.
  var firstToken: Int {
    let candidates = [specialTokens.beginning, specialTokens.end.first].compactMap(\.self)
    return candidates.first { (0..<vocabularySize).contains($0) } ?? 0
  }
}
