/// How the inputs of a weight in INT8 share scales.
public enum ScaleGranularity: Sendable, Hashable {
  /// One scale for each run of this many inputs; the last run of a row may be shorter.
  case group(Int)
  /// One scale for each row.
  case channel

  /// The sizes of groups that kernels are made for.
  public static let groupSizes = [32, 64, 128, 256, 512, 1024]

  /// Inputs per scale in rows of `columns`.
  public func size(columns: Int) -> Int {
    switch self {
    case .group(let size): min(size, max(columns, 1))
    case .channel: max(columns, 1)
    }
  }

  /// Scales per row of `columns`.
  public func scales(columns: Int) -> Int {
    let size = size(columns: columns)
    return (columns + size - 1) / size
  }

  /// The granularity that `text` names: one of the sizes, or `channel`; nil for anything else.
  public init?(groupSize text: String) {
    if text == "channel" {
      self = .channel
    } else if let size = Int(text), Self.groupSizes.contains(size) {
      self = .group(size)
    } else {
      return nil
    }
  }

  /// `128` or `channel`, as it is given.
  public var groupSize: String {
    switch self {
    case .group(let size): "\(size)"
    case .channel: "channel"
    }
  }

  /// What can be given, in words.
  public static let choices = groupSizes.map(String.init).joined(separator: ", ") + " or channel"

  /// `group 128` or `channel`, for people.
  public var text: String {
    switch self {
    case .group(let size): "group \(size)"
    case .channel: "channel"
    }
  }
}
