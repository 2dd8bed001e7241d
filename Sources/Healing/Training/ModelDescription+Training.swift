import Architectures

extension ModelDescription {
  /// Throws when the model has something that training and refits have no gradients for: the one place
  /// that knows what these are.
  func requireTrainable() throws(HealingError) {
    var known = plainDecoder
    // Norms stay as they are, however they are stored, and so does what turns q and k.
    known.normsAddOne = normsAddOne
    known.queryKeyNorm = queryKeyNorm
    known.rotary = rotary
    for layer in layers.indices { known.layers[layer].rotary = layers[layer].rotary }
    known.multipliers.embedding = multipliers.embedding
    let unknown = differences(from: known)
    guard unknown.isEmpty else { throw .untrainable(unknown) }
  }
}
