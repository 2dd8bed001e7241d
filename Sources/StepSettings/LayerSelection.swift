/// Which layers keep softmax attention: the odd ones, a list, or a number of them.
public enum LayerSelection: Sendable, Equatable, CustomStringConvertible {
  /// Layers 1, 3, 5, … as in the public 7B model.
  case odd
  /// The listed 0-based layers.
  case list([Int])
  /// As many layers, chosen by a measurement: those where linear attention would hurt most.
  case auto(Int)

  /// Parses `odd`, `none`, `auto:22`, or a list such as `1,3,8-11`; nil for anything else.
  public init?(parsing text: String) {
    switch text.lowercased() {
    case "odd": self = .odd
    case "none", "": self = .list([])
    case let text where text.hasPrefix("auto:"):
      guard let count = Int(text.dropFirst(5)), count >= 0 else { return nil }
      self = .auto(count)
    default:
      guard let layers = LayerSelection.layers(text) else { return nil }
      self = .list(layers)
    }
  }

  /// Whether a measurement has to choose the layers.
  public var isAuto: Bool {
    if case .auto = self { true } else { false }
  }

  /// The selected layers of a model of `depth` layers, or why there are none.
  public func resolved(depth: Int) -> Result<[Int], Unresolved> {
    switch self {
    case .odd: return .success(Array(stride(from: 1, to: depth, by: 2)))
    case .list(let layers):
      if let outside = layers.first(where: { $0 >= depth }) {
        return .failure(.outOfRange(layer: outside, depth: depth))
      }
      return .success(Set(layers).sorted())
    case .auto(let count): return .failure(.notMeasured(count: count))
    }
  }

  /// Why a selection names no layers.
  public enum Unresolved: Error, Equatable {
    /// The model, `depth` layers deep, has no such layer.
    case outOfRange(layer: Int, depth: Int)
    /// A measurement has to choose `count` layers first.
    case notMeasured(count: Int)
  }

  /// `odd`, `none`, `auto:N`, or the list.
  public var description: String {
    switch self {
    case .odd: "odd"
    case .auto(let count): "auto:\(count)"
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

extension LayerSelection: SettingValue {
  public init?(spelling: String) { self.init(parsing: spelling) }
  public var spelling: String { description }
  public static let expected = "odd, none, auto:N or a list of layers such as 1,3,8-11"
}
