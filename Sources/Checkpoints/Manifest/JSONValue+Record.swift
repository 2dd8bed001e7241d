import Foundation
public import StrictJSON

extension JSONObject {
  /// What `record` encodes, members sorted, as a manifest holds it: without its `seconds`, since equal
  /// inputs give equal manifests.
  public init(recording record: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.nonConformingFloatEncodingStrategy = .recorded
    self = try JSONParser.parse(Array(encoder.encode(record))).withoutSeconds.object ?? JSONObject()
  }
}

extension JSONValue {
  /// The record that this value holds; nil when it holds another one, or none.
  public func record<Record: Decodable>(_ type: Record.Type) -> Record? {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .recorded
    return try? decoder.decode(type, from: Data(compact.utf8))
  }

  fileprivate var withoutSeconds: JSONValue {
    switch self {
    case .array(let elements): .array(elements.map(\.withoutSeconds))
    case .object(let object):
      .object(
        JSONObject(
          object.members.filter { $0.key != "seconds" }.map { ($0.key, $0.value.withoutSeconds) }))
    default: self
    }
  }
}

extension JSONEncoder.NonConformingFloatEncodingStrategy {
  fileprivate static var recorded: Self {
    .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}

extension JSONDecoder.NonConformingFloatDecodingStrategy {
  fileprivate static var recorded: Self {
    .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}
