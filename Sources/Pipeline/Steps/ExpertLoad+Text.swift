import Foundations
package import StrictJSON
package import Verification

extension ExpertLoad {
  /// The result as the command line prints it with `--json`.
  package var json: JSONValue {
    let layers: [JSONValue] = layers.map { layer in
      [
        "layer": .int(layer.layer), "counts": .ints(layer.counts),
        "evenness": .double(layer.evenness), "unused": .ints(layer.unused),
        "probability": .double(layer.probability),
      ]
    }
    return ["tokens": .int(tokens), "layers": .array(layers)]
  }

  /// The result in words.
  var text: String {
    var table = Table(rightAligned: [0, 1, 2, 3, 4, 5])
    table.add("layer", "experts", "least used", "most used", "evenness", "unused", "probability")
    for layer in layers {
      let shares = layer.shares
      table.add(
        "\(layer.layer)", "\(shares.count)", "\(fixed(100 * (shares.min() ?? 0), 1))%",
        "\(fixed(100 * (shares.max() ?? 0), 1))%", fixed(layer.evenness, 3),
        "\(layer.unused.count)", fixed(layer.probability, 3))
    }
    return
      "expert load on \(counted(tokens, "token")); evenness is 1 when all experts are used alike, "
      + "probability that of a token's first expert\n\(table.text)"
  }
}
