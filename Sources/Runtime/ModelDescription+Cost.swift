package import Architectures

extension ModelDescription {
  /// How many dense layers' products the output head takes for a token.
  package var headLayers: Double {
    let attention = 2 * (queryWidth + keyValueWidth)
    return Double(vocabularySize) / Double(attention + 3 * feedForwardSize)
  }
}
