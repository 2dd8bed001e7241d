public import Checkpoints
public import TensorTypes

/// What computes tensors on a text: no plan makes them again.
public enum Computation: String, Sendable, CaseIterable {
  /// `heal`, in either stage.
  case healed
  /// Routers whose rows are the directions of clusters.
  case clustered
  /// Routers fitted to what the neurons of carved experts do.
  case fittedToNeurons = "fitted_to_neurons"
  /// Down projections refitted on the tokens of a region.
  case refitted
  /// Codes and scales of weights in INT8.
  case int8
  /// The same with 4 bits.
  case int4

  /// As the manifest records it.
  public var record: TransformRecord { TransformRecord(.init(rawValue: rawValue)) }
}

extension TransformRecord {
  /// What computed the tensor; nil when a plan makes it.
  public var computation: Computation? { Computation(rawValue: kind.rawValue) }
}

/// A tensor computed by this program, rounded to the type it is written in.
public struct ReplacementTransform: TensorTransform {
  private let values: CopyTransform
  private let computation: Computation

  /// The values of `view`, which `computation` gave, as `type`.
  public init(_ view: TensorView, as type: ScalarType, by computation: Computation) {
    values = CopyTransform(view, named: computation.record.text, as: type)
    self.computation = computation
  }

  public var record: TransformRecord { computation.record }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    try values.produce(block: block, into: sink)
  }
}
