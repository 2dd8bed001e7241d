extension MegatronMapping {
  /// Keys with the value None that files of one rank carry beside its tensors: the modules that
  /// Transformer Engine gives an extra state, which Megatron-Core up to 0.12 misses when it loads.
  public func extraStateKeys(of rank: MegatronTopology.Rank) -> [String] {
    var keys: [String] = []
    for part in parts(of: rank) {
      let name = part.parameter.name
      guard part.parameter.layer != nil,
        let module = ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"].first(where: {
          name.hasSuffix("\($0).weight")
        })
      else { continue }
      let parent = name.dropLast("\(module).weight".count)
      let key = "decoder.layers.\(part.layer).\(parent)\(module)._extra_state"
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }
}
