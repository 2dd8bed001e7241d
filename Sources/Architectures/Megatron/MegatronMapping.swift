import Mixers
public import TensorTypes

/// A model as Megatron holds it: its parameters, what they consist of, and which rank holds what.
/// Specified in `formats/megatron/README.md`.
///
/// How it is used:
///
/// - *Writing rank by rank* (legacy): for every rank of `topology.ranks`, `parts(of: rank)` gives the
///   keys of its file with the regions of the parameter that it holds; `parameter.pieces(in:)` says
///   which rows of which of our tensors a region's rows are. Padding is a piece like any other.
/// - *Writing whole parameters* (distributed checkpoints): `parameters` without those that are copies
///   (`isCopy`), each under `distributedKey(stacked: isHomogeneous)`; every tensor rank's
///   `regions(rank:of:)` are its chunks. A parameter is held by the stage `stage(of:)` and, when it is
///   an expert's, by the expert rank `expertRank(of:)`; what is replicated is written by rank 0.
/// - *Reading*: `places` says for each of our tensors in which rows of which parameters its rows lie.
///
/// Vectors have as many rows as elements, in parameters and in our tensors.
public struct MegatronMapping: Sendable {
  /// The model.
  public let model: ModelDescription
  /// The ranks.
  public let topology: MegatronTopology
  /// Rows of the embedding with padding.
  public let vocabularyRows: Int
  /// All parameters: embedding, layers in order, norm, head.
  public let parameters: [MegatronParameter]

  /// The parameters of `model`.
  ///
  /// - Parameter vocabularyRows: rows of the embedding with padding; by default what Megatron pads to.
  /// - Throws: when `topology` does not fit.
  public init(
    _ model: ModelDescription, topology: MegatronTopology, vocabularyRows: Int? = nil
  ) throws(MegatronTopologyError) {
    try topology.check(model)
    self.model = model
    self.topology = topology
    let rows = vocabularyRows ?? topology.paddedVocabulary(model.vocabularySize)
    self.vocabularyRows = rows
    let builder = MegatronParameters(model: model, vocabularyRows: rows)
    parameters =
      builder.beforeLayers + model.layers.indices.flatMap { builder.layer($0) }
      + builder.afterLayers(hasStages: topology.pipeline > 1)
  }

  /// Whether distributed checkpoints stack the layers: all are softmax attention and dense.
  public var isHomogeneous: Bool {
    model.layers.allSatisfy {
      $0.mixer.isSoftmax && !$0.mixer.isParallel && $0.feedForward == .dense
    }
  }

  /// Layers of one stage.
  public var layersPerStage: Int { model.layers.count / topology.pipeline }

  /// The stage that holds a parameter.
  public func stage(of parameter: MegatronParameter) -> Int {
    switch parameter.stage {
    case .first: 0
    case .ofLayer: (parameter.layer ?? 0) / max(1, layersPerStage)
    case .last: topology.pipeline - 1
    }
  }

  /// The expert rank that holds a routed expert's parameter; nil when all hold it.
  public func expertRank(of parameter: MegatronParameter) -> Int? {
    parameter.expert.map { $0 / expertsPerRank(parameter) }
  }

  private func expertsPerRank(_ parameter: MegatronParameter) -> Int {
    let routed = parameter.layer.flatMap { model.layers[$0].feedForward.experts?.routed } ?? 1
    return max(1, routed / topology.expert)
  }

  /// What one rank's file holds of one parameter.
  public struct Part: Sendable {
    /// The index of the parameter in `parameters`.
    public var index: Int
    /// The parameter.
    public var parameter: MegatronParameter
    /// Layer and expert as the rank counts them; 0 where there is none.
    public var layer: Int, expert: Int
    /// The part: these regions one below the other.
    public var regions: [MegatronParameter.Region]
    /// Its shape.
    public var shape: Shape
    /// Its key in the file.
    public var key: String { parameter.legacyKey(layer: layer, expert: expert) }
  }

  /// What the file of `rank` holds, in order.
  public func parts(of rank: MegatronTopology.Rank) -> [Part] {
    parameters.enumerated().compactMap { index, parameter in
      guard stage(of: parameter) == rank.pipeline,
        (expertRank(of: parameter) ?? rank.expert) == rank.expert
      else { return nil }
      return Part(
        index: index, parameter: parameter,
        layer: (parameter.layer ?? 0) % max(1, layersPerStage),
        expert: (parameter.expert ?? 0) % expertsPerRank(parameter),
        regions: parameter.regions(rank: rank.tensor, of: topology.tensor),
        shape: parameter.shape(rank: rank.tensor, of: topology.tensor))
    }
  }

  /// Rows of a parameter that are rows of one of our tensors.
  public struct Place: Sendable, Equatable {
    /// The index of the parameter in `parameters`.
    public var parameter: Int
    /// The first of the parameter's rows.
    public var start: Int
    /// The rows of our tensor.
    public var rows: Range<Int>
  }

  /// Where our tensors lie, first row to last; padding and copies are left out.
  public var places: [TensorAddress: [Place]] {
    var places: [TensorAddress: [Place]] = [:]
    for (index, parameter) in parameters.enumerated() where !parameter.isCopy {
      var start = 0
      for piece in parameter.pieces {
        if !piece.isPadding {
          places[piece.address, default: []].append(
            Place(parameter: index, start: start, rows: piece.rows))
        }
        start += piece.count
      }
    }
    return places.mapValues { $0.sorted { $0.rows.lowerBound < $1.rows.lowerBound } }
  }
}
