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
  /// - Throws: when `topology` does not fit, or a tensor has no name.
  public init(
    _ model: ModelDescription, topology: MegatronTopology, vocabularyRows: Int? = nil
  ) throws(MegatronTopologyError) {
    try topology.check(model)
    self.model = model
    self.topology = topology
    let rows = vocabularyRows ?? topology.paddedVocabulary(model.vocabularySize)
    self.vocabularyRows = rows
    let builder = MegatronParameters(model: model, vocabularyRows: rows)
    var parameters = builder.beforeLayers
    for layer in model.layers.indices { parameters += try builder.layer(layer) }
    self.parameters = parameters + builder.afterLayers(hasStages: topology.pipeline > 1)
  }

  /// Whether distributed checkpoints stack the layers: all are softmax attention and dense.
  public var isHomogeneous: Bool {
    model.layers.allSatisfy {
      $0.mixer.isSoftmax && !$0.mixer.isHybrid && $0.feedForward == .dense
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

  /// A box of a tensor of a distributed checkpoint.
  public struct Chunk: Sendable {
    /// The key of the tensor.
    public var key: String
    /// The shape of the tensor: that of the parameter behind a dimension for the layer, when layers
    /// share keys, and one for the expert, when it is an expert's.
    public var shape: Shape
    /// How many dimensions are in front of those of the parameter.
    public var leading: Int
    /// The index of its first element.
    public var offsets: [Int]
    /// Its extent in each dimension: 1 in the leading ones.
    public var sizes: [Int]
    /// The parameter.
    public var parameter: MegatronParameter
    /// The box as a part of the parameter.
    public var region: MegatronParameter.Region

    /// A name that no other chunk has: `KEY[0, 1024]`.
    public var name: String { "\(key)\(offsets)" }
  }

  /// The chunks that `rank` writes: its parts of every parameter; of what several ranks hold, the
  /// first of them writes all.
  public func chunks(of rank: MegatronTopology.Rank) -> [Chunk] {
    parameters.flatMap { parameter -> [Chunk] in
      guard !parameter.isCopy, stage(of: parameter) == rank.pipeline,
        (expertRank(of: parameter) ?? 0) == rank.expert,
        parameter.split != .replicated || rank.tensor == 0
      else { return [] }
      let (places, counts) = leadingPlace(of: parameter, stacked: isHomogeneous)
      return parameter.regions(rank: rank.tensor, of: topology.tensor).map { region in
        let ranges = [region.rows, region.columns].prefix(parameter.shape.dimensions.count)
        return Chunk(
          key: parameter.distributedKey(stacked: isHomogeneous),
          shape: Shape(counts + parameter.shape.dimensions), leading: counts.count,
          offsets: places + ranges.map(\.lowerBound),
          sizes: counts.map { _ in 1 } + ranges.map(\.count), parameter: parameter, region: region)
      }
    }
  }

  /// Where a parameter lies in the leading dimensions of its tensor, and how long these are.
  ///
  /// - Parameter stacked: whether layers share keys.
  public func leadingPlace(
    of parameter: MegatronParameter, stacked: Bool
  ) -> (places: [Int], counts: [Int]) {
    var places: [Int] = [], counts: [Int] = []
    if stacked, let layer = parameter.layer {
      places.append(layer)
      counts.append(model.layers.count)
    }
    if let expert = parameter.expert,
      let routed = parameter.layer.flatMap({ model.layers[$0].feedForward.experts?.routed })
    {
      places.append(expert)
      counts.append(routed)
    }
    return (places, counts)
  }

  /// Whether Transformer Engine gives the module of this weight an extra state.
  private static func hasExtraState(_ parameter: MegatronParameter) -> Bool {
    parameter.layer != nil
      && ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"].contains {
        parameter.name.hasSuffix(".\($0).weight")
      }
  }

  /// Keys of the objects that `rank` writes beside its tensors: extra states, all of them nothing.
  public func extraStateObjects(of rank: MegatronTopology.Rank) -> [String] {
    guard rank.tensor == 0 else { return [] }
    return chunks(of: rank).compactMap { chunk in
      guard chunk.region.rows.lowerBound == 0, Self.hasExtraState(chunk.parameter) else {
        return nil
      }
      func dotted(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ".") }
      let isWhole = chunk.leading == 0
      let place = isWhole ? [0] : Array(chunk.offsets.prefix(chunk.leading))
      let counts = isWhole ? [1] : Array(chunk.shape.dimensions.prefix(chunk.leading))
      return chunk.key.dropLast("weight".count)
        + "_extra_state/shard_\(dotted(place))_\(dotted(counts))"
    }
  }

  /// Keys with the value None that files of one rank carry beside its tensors: extra states, which
  /// Megatron-Core up to 0.12 misses when it loads.
  public func extraStateKeys(of rank: MegatronTopology.Rank) -> [String] {
    var keys: [String] = []
    for part in parts(of: rank) {
      guard Self.hasExtraState(part.parameter) else { continue }
      let module = part.parameter.name.dropLast("weight".count)
      let key = "decoder.layers.\(part.layer).\(module)_extra_state"
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }
}
