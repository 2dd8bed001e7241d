extension MegatronParameter {
  /// The name of the embedding.
  public static let embeddingName = "embedding.word_embeddings.weight"

  /// The key in files of the legacy format.
  ///
  /// - Parameters:
  ///   - layer: the layer counted from the first one of its stage; ignored outside the layers.
  ///   - expert: the expert counted from the first one of its rank; ignored without experts.
  public func legacyKey(layer: Int, expert: Int) -> String {
    legacyKey(name, layer: layer, expert: expert)
  }

  /// All keys that the parameter may have when it is read, that of `legacyKey(layer:expert:)` first.
  public func legacyKeys(layer: Int, expert: Int) -> [String] {
    ([name] + otherNames).map { legacyKey($0, layer: layer, expert: expert) }
  }

  private func legacyKey(_ name: String, layer: Int, expert: Int) -> String {
    var key = self.layer == nil ? name : "decoder.layers.\(layer).\(name)"
    guard self.expert != nil else { return key }
    if let place = key.firstRange(of: Self.expertPlace) {
      key.replaceSubrange(place, with: String(expert))
      return key
    }
    return key + String(expert)
  }

  /// Stands for an expert's number inside a name.
  static let expertPlace = "{expert}"

  /// The key in distributed checkpoints, the same for every topology.
  ///
  /// Parameters of routed experts share a key and have a leading dimension for the expert. When all
  /// layers are alike (`MegatronMapping.isHomogeneous`) those of different layers do too, with a
  /// leading dimension for the layer in front of that.
  ///
  /// - Parameter stacked: whether layers share keys.
  public func distributedKey(stacked: Bool) -> String {
    guard let layer else { return name }
    let place = stacked ? "decoder.layers." : "decoder.layers.\(layer)."
    guard expert != nil, name.hasPrefix("mlp.experts.") else { return place + name }
    return place + "mlp.experts.experts." + name.dropFirst("mlp.experts.".count)
  }
}
