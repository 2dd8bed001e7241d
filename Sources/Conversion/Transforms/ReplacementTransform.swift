public import TensorTypes

/// A tensor computed by this program, rounded to the type it is written in.
public struct ReplacementTransform: TensorTransform {
  private let values: CopyTransform
  public let summary: String

  /// The values of `view` as `type`; `summary` says what computed them.
  public init(_ view: TensorView, as type: ScalarType, summary: String) {
    values = CopyTransform(view, named: summary, as: type)
    self.summary = summary
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    try values.produce(block: block, into: sink)
  }
}
