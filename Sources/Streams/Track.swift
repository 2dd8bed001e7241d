/// What a sweep takes through the layers: the residual stream of a text in one model. Its file is
/// `name.N` where it enters layer N.
package struct Track {
  /// What its files are called.
  package let name: String
  /// The model whose embedding it begins with.
  package let model: DescribedModel
  /// The segments that it holds; nil for all, and the sinks before them.
  package let segments: Range<Int>?

  /// The stream of `model`.
  package init(_ name: String, of model: DescribedModel, segments: Range<Int>? = nil) {
    self.name = name
    self.model = model
    self.segments = segments
  }
}
