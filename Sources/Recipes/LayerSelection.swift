/// Which layers keep softmax attention: the odd ones, or a list.
public enum LayerSelection: Sendable, Equatable, CustomStringConvertible {
  /// Layers 1, 3, 5, … as in the public 7B model.
  case odd
  /// The listed 0-based layers.
  case list([Int])

  /// Parses `odd`, `none`, or a list such as `1,3,8-11`; nil for anything else.
  public init?(parsing text: String) {
    switch text.lowercased() {
    case "odd": self = .odd
    case "none", "": self = .list([])
    default:
      guard let layers = LayerSelection.layers(text) else { return nil }
      self = .list(layers)
    }
  }

  /// The selected layers of a model of `depth` layers, or the first that it does not have.
  public func resolved(depth: Int) -> Result<[Int], LayerOutOfRange> {
    switch self {
    case .odd: return .success(Array(stride(from: 1, to: depth, by: 2)))
    case .list(let layers):
      if let outside = layers.first(where: { $0 >= depth }) {
        return .failure(LayerOutOfRange(layer: outside, depth: depth))
      }
      return .success(Set(layers).sorted())
    }
  }

  /// A layer number that the model does not have.
  public struct LayerOutOfRange: Error, Equatable {
    /// The layer asked for.
    public var layer: Int
    /// The number of layers.
    public var depth: Int
  }

  /// `odd`, `none`, or the list.
  public var description: String {
    switch self {
    case .odd: "odd"
    case .list(let layers):
      layers.isEmpty ? "none" : layers.map(String.init).joined(separator: ",")
    }
  }

  private static func layers(_ text: String) -> [Int]? {
    var layers: [Int] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false).map {
        Int($0.drop { $0 == " " }.prefix { $0 != " " })
      }
      switch (ends.count, ends.first ?? nil, ends.last ?? nil) {
      case (1, let layer?, _) where layer >= 0: layers.append(layer)
      case (2, let first?, let last?) where 0 <= first && first <= last && last < 1 << 16:
        layers += first...last
      default: return nil
      }
    }
    return layers
  }
}
