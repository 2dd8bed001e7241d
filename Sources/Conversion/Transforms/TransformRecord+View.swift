public import Checkpoints
import StrictJSON
public import TensorTypes

extension TransformRecord.Kind {
  /// The source's values in their type.
  public static let copy: Self = "copy"
  /// The source's values in another type.
  public static let cast: Self = "cast"
  /// The source's values merged with those of an adapter.
  public static let merged: Self = "merged"
}

extension TransformRecord {
  /// A tensor of type `source` as `type`: a copy, or a cast when these differ.
  public init(copying source: ScalarType, as type: ScalarType) {
    self.init(source == type ? .copy : .cast)
    cast(from: [source], to: type)
  }

  /// The values of `view` as `type`.
  public init(copying view: TensorView, as type: ScalarType) {
    self.init(view.merge != nil ? .merged : view.type == type ? .copy : .cast)
    read(view, as: type)
  }

  /// Whether the values are those of the source, bit for bit.
  public var keepsValues: Bool {
    kind != .merged && castTypes.isEmpty && self["rounded_to_scales"] == nil
      && self["rounded_to"] == nil
  }

  /// Adds what reading `view` as `type` changes: types, the order of rows, rounding.
  public mutating func read(_ view: TensorView, as type: ScalarType) {
    cast(from: [view.type], to: type)
    if case .interleavedRotary(let headDim) = view.rowOrder {
      self["rotary_pairs"] = "de-interleaved"
      self["head_size"] = .int(headDim)
    }
    if let merge = view.merge {
      self["adapter"] = .string(merge.digest)
      if let update = merge.update {
        self["rank"] = .int(update.rank)
        self["scale"] = .float(update.scale)
      }
    }
    if let grid = view.grid { self["rounded_to_scales"] = .int(grid.groupSize) }
    if let rounding = view.rounding, rounding != type {
      self["rounded_to"] = .string(rounding.rawValue)
    }
  }
}
