import Architectures
import Mixers
import StepSettings

/// The intra-layer layout (SpikingBrain-76B): every layer has both kinds of attention.
extension ConversionPlan {
  /// Full attention is in every seventh layer of the report's model.
  static let fullAttentionPeriod = 7

  /// The layers with full attention when none are named: 6, 13, 20, …
  static func reportFullLayers(depth: Int) -> [Int] {
    Array(stride(from: fullAttentionPeriod - 1, to: depth, by: fullAttentionPeriod))
  }

  /// The model with parallel branches that `source` becomes.
  static func intraLayer(
    _ source: ModelDescription, full: Set<Int>, settings: ConvertSettings
  ) throws -> ModelDescription {
    if let token = settings.intraLayer.sinkToken, token >= source.vocabularySize {
      throw ConversionError.tokenOutOfRange(
        option: "--sink-token", token: token, vocabulary: source.vocabularySize)
    }
    let window = Mixer.Window(size: settings.window, rule: settings.windowRule)
    var target = source
    target.modelType = SpikingBrainLayout.modelType
    target.tiesEmbeddings = false
    target.sinkCount = settings.intraLayer.sinks
    target.branchNormEpsilon = settings.intraLayer.branchNormEpsilon
    target.layers = source.layers.enumerated().map { layer, described in
      described.with(.parallel(full.contains(layer) ? nil : window))
    }
    return target
  }

  /// What a user should know about parallel branches that were never trained.
  static func intraLayerNotes(_ target: ModelDescription, _ settings: ConvertSettings) -> [String] {
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

extension ModelDescription {
  /// The token that stands first in a text, where attention without anything to attend to goes.
  var firstToken: Int {
    let candidates = [specialTokens.beginning, specialTokens.end.first].compactMap(\.self)
    return candidates.first { (0..<vocabularySize).contains($0) } ?? 0
  }
}
