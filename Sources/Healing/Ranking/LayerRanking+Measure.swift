import Architectures
import Glibc
import Runtime
import TensorTypes

extension LayerRanking {
  func measure(progress: (Double) throws -> Void) throws -> [Score] {
    let depth = model.layers.count
    // Held-out segments, by the layer that is linear in them.
    let variants = try (0..<depth).map { try stream("variant.\($0)") }
    let target = try stream("target")
    var source = try stream("source.0")
    defer { for stream in variants + [target, source] { unlink(stream.path) } }
    try embed(source)
    var errors: [Double] = []
    var done = 0.0
    for layer in 0..<depth {
      let step = try RankedLayer(layer, of: self)
      let next = try stream("source.\(layer + 1)")
      try step.advance(source, to: next, target: target)
      errors.append(try step.replace(source, target: target, variant: variants[layer]))
      for variant in variants[..<layer] { try step.advance(variant) }
      step.finish()
      unlink(source.path)
      source = next
      done += work(layer)
      try progress(done / totalWork)
    }
    return try zip(compare(source, variants), errors).enumerated().map { layer, found in
      guard found.0.isFinite, found.1.isFinite else { throw HealingError.diverged(layer: layer) }
      return Score(layer: layer, divergence: found.0, error: found.1)
    }
  }

  /// Mean KL over the held-out tokens of every variant, a few rows at a time.
  private func compare(_ source: HiddenStream, _ variants: [HiddenStream]) throws -> [Double] {
    let predictions = try Predictions(model, weights: weights)
    let rows = segments.heldOut.count * segments.length
    let offset = segments.firstToken(of: segments.heldOut.lowerBound)
    var sums = [Double](repeating: 0, count: variants.count)
    for first in stride(from: 0, to: rows, by: Predictions.rowsAtOnce) {
      let count = min(Predictions.rowsAtOnce, rows - first)
      let reference = try predictions.logits(source.read(offset + first, count: count))
      for (index, variant) in variants.enumerated() {
        sums[index] += Predictions.divergence(
          of: try predictions.logits(variant.read(first, count: count)), from: reference)
      }
    }
    return sums.map { $0 / Double(rows) }
  }

  private func stream(_ name: String) throws -> HiddenStream {
    try HiddenStream(path: directory + "/" + name, columns: model.hiddenSize)
  }

  /// Where a held-out segment lies in the stream of a variant.
  func row(of segment: Int) -> Int { (segment - segments.heldOut.lowerBound) * segments.length }

  private func embed(_ stream: HiddenStream) throws {
    let embedding = try EmbeddingRows(weights, model: model)
    for segment in 0..<segments.count {
      let first = segments.firstToken(of: segment)
      try stream.write(embedding.rows(tokens[first..<first + segments.length]), at: first)
    }
  }

  /// Segments through layer `layer`: the text as it is and for the fit, and the variants so far.
  private func work(_ layer: Int) -> Double {
    Double(2 * segments.count + (layer + 1) * segments.heldOut.count)
  }

  /// All layers and the comparison, in segments through a layer.
  private var totalWork: Double {
    let depth = model.layers.count
    let attention = 2 * (model.queryWidth + model.keyValueWidth)
    let head = Double(model.vocabularySize) / Double(attention + 3 * model.feedForwardSize)
    return (0..<depth).reduce(head * Double((depth + 1) * segments.heldOut.count)) {
      $0 + work($1)
    }
  }
}
