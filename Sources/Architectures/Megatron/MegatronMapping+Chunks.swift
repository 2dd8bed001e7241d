public import TensorTypes

extension MegatronMapping {
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

  /// Keys of the objects that `rank` writes beside its tensors: the extra states of the modules that
  /// Transformer Engine gives one, all of them nothing.
  public func extraStateObjects(of rank: MegatronTopology.Rank) -> [String] {
    guard rank.tensor == 0 else { return [] }
    return chunks(of: rank).compactMap { chunk in
      guard chunk.parameter.layer != nil, chunk.region.rows.lowerBound == 0,
        ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"].contains(where: {
          chunk.key.hasSuffix(".\($0).weight")
        })
      else { return nil }
      func dotted(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ".") }
      let isWhole = chunk.leading == 0
      let place = isWhole ? [0] : Array(chunk.offsets.prefix(chunk.leading))
      let counts = isWhole ? [1] : Array(chunk.shape.dimensions.prefix(chunk.leading))
      return chunk.key.dropLast("weight".count)
        + "_extra_state/shard_\(dotted(place))_\(dotted(counts))"
    }
  }
}
