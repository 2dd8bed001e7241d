public import StrictJSON
public import TensorTypes

/// What made a tensor: the kind of a transform, and by name every parameter that decides its bytes
/// and is not the tensor's own name, shape or type.
///
/// A value to compare and to look up. `text` is made from it for people; nothing reads that.
public struct TransformRecord: Sendable, Hashable {
  /// Which transform. Adding one is a constant beside the type that conforms to it.
  public struct Kind: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    /// Its name in manifests: small letters, with _ between words.
    public let rawValue: String

    /// The kind that manifests call `rawValue`.
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
  }

  /// Which transform.
  public var kind: Kind
  /// Its parameters in their order: numbers, texts, truth values, or arrays of these.
  public private(set) var parameters: JSONObject

  /// A transform of `kind` with `parameters`.
  public init(_ kind: Kind, _ parameters: [(String, JSONValue)] = []) {
    self.kind = kind
    self.parameters = JSONObject(parameters)
  }

  /// The parameter called `name`; nil when there is none. Setting one that is new puts it last.
  public subscript(name: String) -> JSONValue? {
    get { parameters[name] }
    set { parameters[name] = newValue }
  }

  /// The types of source tensors, as far as the result has another one.
  public var castTypes: [ScalarType] {
    let names = self[Self.from]?.array ?? self[Self.from].map { [$0] } ?? []
    return names.compactMap { $0.string.flatMap(ScalarType.init(rawValue:)) }
  }

  /// Adds that values of the types `sources` are cast to `type`; equal types are no cast.
  public mutating func cast(from sources: [ScalarType], to type: ScalarType) {
    let others = Set(sources.filter { $0 != type }.map(\.rawValue)).sorted()
    guard let first = others.first else { return }
    self[Self.from] = others.count == 1 ? .string(first) : .array(others.map { .string($0) })
    self[Self.to] = .string(type.rawValue)
  }

  private static let from = "from", to = "to"
}

extension TransformRecord {
  private static let kindKey = "kind"

  /// `{"kind": "cast", "from": "q4_1", "to": "bfloat16"}`
  public var json: JSONValue {
    .object(JSONObject([(Self.kindKey, .string(kind.rawValue))] + parameters.members))
  }

  /// Reads what `json` writes, kinds that this version does not know included; nil for anything
  /// else.
  public init?(json: JSONValue) {
    guard var parameters = json.object, let kind = parameters[Self.kindKey]?.string, !kind.isEmpty
    else { return nil }
    parameters[Self.kindKey] = nil
    self.init(Kind(rawValue: kind), parameters.members)
  }

  /// For people: the kind and every parameter, `cast from q4_1, to bfloat16`.
  public var text: String {
    let words = parameters.members.map { name, value in
      let name = name.spaced
      switch value {
      case .bool(true): return name
      case .string(let digest) where ["sha256", "adapter"].contains(name):
        return "\(name) \(digest.prefix(8))…"
      case .array(let elements): return "\(name) \(elements.map(\.word).joined(separator: ", "))"
      default: return "\(name) \(value.word)"
      }
    }
    return kind.rawValue.spaced + (words.isEmpty ? "" : " " + words.joined(separator: ", "))
  }
}

extension TransformRecord: Codable {
  /// As the text of `json`, which keeps the order of parameters and the digits of numbers.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(json.compact)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let record = try Self(json: JSONParser.parse(try container.decode(String.self))) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no transform")
    }
    self = record
  }
}

extension String {
  fileprivate var spaced: String { String(map { $0 == "_" ? " " : $0 }) }
}

extension JSONValue {
  /// The text of a string, anything else as JSON.
  fileprivate var word: String { string ?? compact }
}
