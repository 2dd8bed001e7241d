package import Architectures
package import Kernels
import Mixers
package import TensorTypes

/// A linear map y = x Wᵀ + b, its weight seen in place.
package struct LinearMap: Projection {
  package let weight: TensorView
  package let bias: [Float]?
  /// The weight with its scales when it is kept as integers.
  package let quantized: QuantizedWeight?
  /// Whether the mapped pages of the weight are dropped after each use, a block of rows at a time.
  let dropsPages: Bool
  /// What happens to the input first; nil for nothing.
  let input: SpikingInput?
  /// Where the weight is from; nil for one made in memory.
  private let origin: TensorOrigin?

  package init(
    weight: TensorView, bias: [Float]?, dropsPages: Bool = false, input: SpikingInput? = nil,
    origin: TensorOrigin? = nil
  ) {
    self.origin = origin
    self.weight = weight
    self.bias = bias
    quantized = nil
    self.dropsPages = dropsPages
    self.input = input
  }

  /// A map with a weight of integers.
  package init(
    quantized weight: QuantizedWeight, bias: [Float]?, dropsPages: Bool = false,
    input: SpikingInput? = nil,
    origin: TensorOrigin? = nil
  ) {
    self.origin = origin
    self.weight = weight.codes
    self.bias = bias
    quantized = weight
    self.dropsPages = dropsPages
    self.input = input
  }

  /// Weight bytes in memory at a time when pages are dropped.
  private static let block = 32 << 20

  /// Applies the map to every row of `input`, spiked if the model says so; throws when the result
  /// is not finite, and names the weight that is to blame, or this place.
  ///
  /// Here, because what follows a projection may hide it: a ReLU makes 0 of -inf.
  package func callAsFunction(_ input: FloatMatrix) throws -> FloatMatrix {
    let output = unchecked(input)
    if output.firstNotFinite() != nil { throw fault(reading: input) }
    return output
  }

  /// The same for training, whose losses show what is not finite.
  package func unchecked(_ input: FloatMatrix) -> FloatMatrix {
    let output = FloatMatrix(rows: input.rows, columns: weight.shape.rows)
    apply(to: input, into: output)
    return output
  }

  /// Throws when the weight holds numbers that are not finite; biases and scales were looked at when
  /// they were read.
  func requireFinite() throws {
    if let found = NotFinite(in: weight) {
      throw RuntimeError.weight(name, value: found.value, index: found.index)
    }
  }

  /// W as f32 [out, in].
  package var matrix: FloatMatrix { FloatMatrix(decoding: weight) }

  private var name: String { origin?.name ?? "a projection" }

  /// Why the map of `input` is not finite.
  private func fault(reading input: FloatMatrix) -> any Error {
    if input.firstNotFinite() != nil { return RuntimeError.overflow(place: "before \(name)") }
    do {
      try requireFinite()
    } catch {
      return error
    }
    return RuntimeError.overflow(place: "in the product with \(name), whose numbers are finite")
  }

  private func apply(to input: FloatMatrix, into output: FloatMatrix) {
    switch self.input?(input, for: self) ?? .floats(input) {
    case .floats(let values): multiply(values, into: output)
    case .counts(let spikes): multiply(spikes, into: output)
    }
  }

  /// Applies the map to every row of `input` as it is.
  package func multiply(_ input: FloatMatrix, into output: FloatMatrix) {
    forEachBlock { rows in
      if let quantized {
        QuantizedLinear.apply(quantized, rows: rows, bias: bias, input: input, into: output)
      } else {
        Linear.apply(weight: weight, rows: rows, bias: bias, input: input, into: output)
      }
    }
  }

  /// Applies a map with a weight of integers to spike counts, by integer arithmetic.
  func multiply(_ spikes: SpikeMatrix, into output: FloatMatrix) {
    guard let quantized else { preconditionFailure("counts need a weight of integers") }
    forEachBlock { rows in
      QuantizedLinear.apply(
        quantized, rows: rows, bias: bias, input: spikes, into: output)
    }
  }

  /// Calls `body` with ranges of outputs, nil for all; all at once unless pages are dropped.
  private func forEachBlock(_ body: (Range<Int>?) -> Void) {
    let rows = weight.shape.rows
    guard dropsPages else { return body(nil) }
    let step = max(1, Self.block / max(weight.rowBytes, 1))
    guard weight.rowOrder == .stored, step < rows else {
      body(nil)
      return weight.discard()
    }
    for first in stride(from: 0, to: rows, by: step) {
      let block = first..<min(first + step, rows)
      body(block)
      weight.slice(rows: block).discard()
    }
  }
}

extension LinearMap {
  /// The output head of `model` [V, H].
  package static func head(
    of model: ModelDescription, from source: any WeightSource, dropsPages: Bool
  ) throws -> LinearMap {
    let origin = TensorOrigin(
      TensorAddress(model.tiesEmbeddings ? .embedding : .head), in: source)
    return LinearMap(
      weight: try origin.view, bias: nil, dropsPages: dropsPages, origin: origin)
  }
}
