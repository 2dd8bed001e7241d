/// Keeps the bytes of tensor views alive: a mapped file, or a buffer in memory.
public protocol TensorStorage: AnyObject, Sendable {
  /// Drops cached pages of `bytes`; they are read again when next touched.
  ///
  /// A no-op for storage that is not a mapped file.
  func discard(_ bytes: UnsafeRawBufferPointer)

  /// Begins to read `bytes`, which will be touched soon, and returns at once.
  ///
  /// A no-op for storage that is not a mapped file.
  func prefetch(_ bytes: UnsafeRawBufferPointer)
}

/// A stored tensor seen in place: bytes, element type, shape, and the order of its rows.
///
/// The view is lazy: nothing is read until the bytes are touched. It keeps its storage alive.
public struct TensorView: @unchecked Sendable {
  /// The stored bytes, contiguous and row-major; not necessarily aligned to the element size.
  public let bytes: UnsafeRawBufferPointer
  /// The stored element type.
  public let type: ScalarType
  /// The logical shape.
  public let shape: Shape
  /// How logical rows map to stored rows.
  public let rowOrder: RowOrder
  /// What an adapter makes of decoded values first, or nil: as stored.
  public private(set) var merge: AdapterMerge?
  /// Multiples of scales that decoded values are rounded to then, or nil: as stored.
  public private(set) var grid: ScaleGrid?
  /// A type that decoded values are rounded to, or nil: as stored.
  public private(set) var rounding: ScalarType?
  /// What owns `bytes`.
  public let storage: any TensorStorage

  /// A view of `bytes`, whose size must be that of `shape` in `type`.
  ///
  /// - Precondition: `bytes.count == shape.byteCount(type)`; readers check before they build one.
  public init(
    bytes: UnsafeRawBufferPointer, type: ScalarType, shape: Shape,
    rowOrder: RowOrder = .stored, storage: any TensorStorage
  ) {
    precondition(bytes.count == shape.byteCount(type))
    self.bytes = bytes
    self.type = type
    self.shape = shape
    self.rowOrder = rowOrder
    self.storage = storage
  }

  /// Rows when seen as a matrix; a vector with permuted elements counts one row per element.
  public var rows: Int {
    shape.dimensions.count == 1 && rowOrder != .stored ? shape.columns : shape.rows
  }

  /// Elements per row.
  public var columns: Int { shape.dimensions.count == 1 && rowOrder != .stored ? 1 : shape.columns }

  /// Stored bytes per row.
  public var rowBytes: Int { rows == 0 ? 0 : bytes.count / rows }

  /// The stored bytes of logical row `row`.
  public func row(_ row: Int) -> UnsafeRawBufferPointer {
    let start = rowOrder.storedRow(of: row) * rowBytes
    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + rowBytes])
  }

  /// Rows `range` as a tensor of their own; the rows must lie as they are stored.
  ///
  /// - Precondition: `rowOrder == .stored` and the range lies inside.
  public func slice(rows range: Range<Int>) -> TensorView {
    precondition(rowOrder == .stored && range.lowerBound >= 0 && range.upperBound <= rows)
    let part = bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
    var slice = TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: part), type: type, shape: [range.count, columns],
      storage: storage)
    slice.merge = merge?.slice(rows: range)
    slice.grid = grid?.slice(rows: range)
    slice.rounding = rounding
    return slice
  }

  /// Rows `range` as a tensor of shape `shape`, in place; a vector has a row per element, and the matrices of
  /// a tensor of three dimensions lie one below the other.
  ///
  /// - Precondition: `rowOrder == .stored`, no grid, and `shape` has as many elements.
  public func piece(_ range: Range<Int>, shape: Shape) -> TensorView {
    precondition(rowOrder == .stored && grid == nil)
    let count = self.shape.dimensions.count == 1 ? self.shape.columns : self.shape.rows
    let size = count == 0 ? 0 : bytes.count / count
    var piece = TensorView(
      bytes: UnsafeRawBufferPointer(
        rebasing: bytes[range.lowerBound * size..<range.upperBound * size]),
      type: type, shape: shape, storage: storage)
    piece.merge = merge?.slice(rows: range)
    piece.rounding = rounding
    return piece
  }

  /// Whether decoded values are others than those stored.
  public var isAltered: Bool { merge != nil || grid != nil || rounding != nil }

  /// The same tensor with values that are merged with an adapter's when they are decoded.
  ///
  /// - Precondition: what is added has the tensor's rows and columns.
  public func merged(_ merge: AdapterMerge) -> TensorView {
    precondition(
      merge.update.map { $0.left.rows == rows && $0.right.columns == columns } ?? true)
    var copy = self
    copy.merge = merge
    return copy
  }

  /// The same tensor with values rounded to multiples of the scales of `grid` when they are decoded:
  /// round(w / scale) · scale in float32, ties to even, never clamped.
  ///
  /// - Precondition: rows lie as they are stored, and `grid` has scales for every row.
  public func rounded(to grid: ScaleGrid) -> TensorView {
    precondition(rowOrder == .stored && grid.rows == rows)
    var copy = self
    copy.grid = grid
    return copy
  }

  /// The same tensor with values rounded to `type` when they are decoded: what a cast of it holds.
  /// Rounding to a grid comes first.
  public func rounded(to type: ScalarType) -> TensorView {
    // A wider type holds what a narrower one does.
    if let rounding, type.blockBytes > rounding.blockBytes { return self }
    var copy = self
    copy.rounding = type
    return copy
  }

  /// Drops cached pages of the stored bytes of this tensor.
  public func discard() { storage.discard(bytes) }
}

/// How the rows of a logical tensor lie in storage.
public enum RowOrder: Sendable, Hashable {
  /// As they are.
  case stored
  /// Rotary pairs interleaved within each head of `headDim` rows, as llama-architecture GGUF
  /// files store q and k: logical row `h·d + j·d/2 + i` lies at stored row `h·d + 2i + j`.
  case interleavedRotary(headDim: Int)

  /// The stored row holding logical row `row`.
  @inlinable public func storedRow(of row: Int) -> Int {
    switch self {
    case .stored: return row
    case .interleavedRotary(let headDim):
      let head = row / headDim, inner = row % headDim, half = headDim / 2
      return head * headDim + 2 * (inner % half) + inner / half
    }
  }
}

/// Tensor bytes in memory, for tensors that no file holds.
public final class MemoryStorage: TensorStorage, @unchecked Sendable {
  /// The buffer, zero-initialised.
  public let bytes: UnsafeMutableRawBufferPointer

  /// Allocates `count` zero bytes, aligned for SIMD loads.
  public init(count: Int) {
    bytes = .allocate(byteCount: max(count, 1), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { bytes.deallocate() }

  /// Memory has no pages to drop.
  public func discard(_ bytes: UnsafeRawBufferPointer) {}
  public func prefetch(_ bytes: UnsafeRawBufferPointer) {}

  /// A view of a new float32 tensor holding `values`.
  ///
  /// - Precondition: `values.count` is the element count of `shape`.
  public static func view(_ values: [Float], shape: Shape) -> TensorView {
    let storage = MemoryStorage(count: values.count * 4)
    values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
    return storage.view(.float32, shape: shape)
  }

  /// The bytes from the first on as a tensor.
  ///
  /// - Precondition: there are as many as `shape` takes in `type`.
  public func view(_ type: ScalarType, shape: Shape) -> TensorView {
    TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[..<(shape.byteCount(type) ?? 0)]), type: type,
      shape: shape, storage: self)
  }
}
