import CKernels
public import TensorTypes

/// Turns stored tensor rows of any floating-point or quantised type into float32.
public enum RowDecoder {
  /// Whether `decode` knows this type: floats and GGML blocks, not integers.
  public static func supports(_ type: ScalarType) -> Bool { type.isFloat || type.isQuantised }

  /// Decodes logical rows `rows` of `view` into `output` [rows.count, view.columns].
  ///
  /// Quantised values are those of the published GGML formats to the last bit; float64 is rounded
  /// to nearest. Runs on the caller's thread.
  ///
  /// - Precondition: `supports(view.type)`.
  public static func decode(
    _ view: TensorView, rows: Range<Int>, into output: UnsafeMutablePointer<Float>
  ) {
    reference(view, rows: rows, into: output)
  }
}
