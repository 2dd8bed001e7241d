public import Kernels
import TensorTypes

/// What a mixer is, without weights.
///
/// Between its projections q, k and v, which every mixer has, and o_proj.
public protocol MixerForm: Sendable, Hashable {
  /// Its names in configurations.
  static var kinds: [String] { get }
  /// The tensors that some mixer of this form has, besides the projections, as our layout names them.
  static var names: [MixerTensor.Name] { get }
  /// The keys of `sizes`, which any mixer of this form may have in a configuration.
  static var sizeKeys: [String] { get }
  /// The mixer that a configuration calls `kind`, one of `kinds`.
  static func mixer<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) -> Mixer

  /// Which of `kinds` this one is.
  var kind: String { get }
  /// What decides the numbers it computes, as text: it never changes once states may have been saved.
  var key: String { get }
  /// What differences between models call it: `parallel branches`.
  var description: String { get }
  /// The window of its softmax attention; nil when there is none.
  var window: Mixer.Window? { get }
  /// The same with another window; itself when it has none.
  func with(_ window: Mixer.Window) -> Mixer
  /// Whether it remembers keys and values, and so rotates queries.
  var hasCache: Bool { get }
  /// Whether it remembers something of a fixed size.
  var hasMemory: Bool { get }
  /// Whether it computes with `MixerModel.branchNormEpsilon`.
  var usesBranchNormEpsilon: Bool { get }
  /// Sizes of its own by their `sizeKeys`, as configurations hold them besides the window.
  var sizes: [(key: String, size: Int)] { get }
  /// Numbers of a fixed size that it remembers.
  func memoryCount(in model: MixerModel) -> Int
  /// Its own tensors, in the order in which checkpoints list them.
  func tensors(in model: MixerModel) -> [MixerTensor]
  /// With its weights.
  func layer(in model: MixerModel, from tensors: some MixerTensors) throws -> any MixerLayer
}

extension MixerForm {
  public static var sizeKeys: [String] { [] }
  public var usesBranchNormEpsilon: Bool { false }
  public var window: Mixer.Window? { nil }
  public func with(_ window: Mixer.Window) -> Mixer { Mixer(self) }
  public var sizes: [(key: String, size: Int)] { [] }
  public func memoryCount(in model: MixerModel) -> Int { 0 }
  public func tensors(in model: MixerModel) -> [MixerTensor] { [] }
}

/// A mixer with its weights.
public protocol MixerLayer: Sendable {
  /// The heads' outputs [T, heads · d] for the next T tokens; nil when it is switched off.
  ///
  /// - Parameters:
  ///   - heads: q, k and v, which it may overwrite.
  ///   - input: what the projections read [T, H].
  ///   - state: what it remembers; updated.
  func mix(
    _ heads: Projections, input: FloatMatrix, state: inout MixerState, pass: MixerPass
  ) throws -> FloatMatrix?

  /// The same with gradients.
  ///
  /// - Parameters:
  ///   - rotary: how q and k are turned; nil where nothing turns.
  ///   - gateBias: where the biases of a decay gate start; nil keeps the stored ones.
  func training(rotary: RotaryEmbedding?, gateBias: Double?) -> any MixerTraining
}

/// What q, k and v projections give, or its gradient: [T, heads · d], [T, kv · d], [T, kv · d].
public struct Projections {
  public var query: FloatMatrix
  public var key: FloatMatrix
  public var value: FloatMatrix

  public init(query: FloatMatrix, key: FloatMatrix, value: FloatMatrix) {
    self.query = query
    self.key = key
    self.value = value
  }

  /// Those of some of the tokens, in place.
  public func rows(_ rows: Range<Int>) -> Projections {
    Projections(query: query.rows(rows), key: key.rows(rows), value: value.rows(rows))
  }
}

/// The model around a mixer, as far as it concerns mixers.
public struct MixerModel: Sendable, Hashable {
  /// Width of the residual stream H.
  public var hiddenSize: Int
  /// The heads.
  public var layout: HeadLayout
  /// Epsilon of norms, and of those that merge branches.
  public var normEpsilon, branchNormEpsilon: Double
  /// What queries are multiplied by so that the kernels' d^-1/2 becomes the model's factor of scores.
  public var queryFactor: Double
  /// The soft cap of scores; nil for none.
  public var scoreCap: Double?
  /// Sinks before every text.
  public var sinkCount: Int
  /// Whether keys and values are kept as integers.
  public var codesCache: Bool

  public init(
    hiddenSize: Int, layout: HeadLayout, normEpsilon: Double, branchNormEpsilon: Double,
    queryFactor: Double, scoreCap: Double?, sinkCount: Int, codesCache: Bool
  ) {
    self.hiddenSize = hiddenSize
    self.layout = layout
    self.normEpsilon = normEpsilon
    self.branchNormEpsilon = branchNormEpsilon
    self.queryFactor = queryFactor
    self.scoreCap = scoreCap
    self.sinkCount = sinkCount
    self.codesCache = codesCache
  }
}

/// Where a mixer finds its parameters in a configuration.
public protocol MixerParameters<Failure> {
  associatedtype Failure: Error
  /// The configured window.
  func window() throws(Failure) -> Mixer.Window
  /// A size of its own; `usual` where the configuration has none.
  func size(_ key: String, default usual: Int) throws(Failure) -> Int
}

/// The tokens that pass through a mixer together.
public struct MixerPass: Sendable {
  /// Cosines and sines of their positions; nil where nothing turns.
  public var angles: RotaryTable?
  /// Whether they are the sinks before a text: they see each other in both directions, and stay visible.
  public var areSinks = false
  /// A part that is switched off.
  public var ablation: Ablation?
  /// When the memory is emptied; nil never.
  private var resets: StateResets?

  /// Tokens from `position` on.
  ///
  /// - Parameter emptyMemory: what `Ablation.state` puts in the place of a memory; nil for zeros.
  public init(
    angles: RotaryTable?, position: Int, areSinks: Bool = false, ablation: Ablation? = nil,
    emptyMemory: [Float]? = nil
  ) {
    self.angles = angles
    self.areSinks = areSinks
    self.ablation = ablation
    if case .state(let period) = ablation, !areSinks {
      resets = StateResets(period: period, position: position, emptyMemory: emptyMemory)
    }
  }

  /// The outputs [T, columns] of a recurrence over the pass's `tokens` tokens, whose memory is emptied
  /// wherever the pass asks for it.
  ///
  /// - Parameters:
  ///   - memory: what the mixer remembers; updated.
  ///   - step: the outputs of some of the tokens, one after the other; updates the memory.
  public func recurrence(
    over tokens: Int, columns: Int, memory: inout [Float],
    step: (_ tokens: Range<Int>, _ memory: inout [Float]) throws -> FloatMatrix
  ) rethrows -> FloatMatrix {
    guard let resets else { return try step(0..<tokens, &memory) }
    let output = FloatMatrix(rows: tokens, columns: columns)
    var done = 0
    while done < tokens {
      resets.apply(to: &memory, before: done)
      let rows = done..<min(tokens, done + resets.run(from: done))
      output.copyRows(of: try step(rows, &memory), to: done)
      done = rows.upperBound
    }
    return output
  }
}
