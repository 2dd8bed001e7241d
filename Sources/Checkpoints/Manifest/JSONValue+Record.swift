import Foundation
public import StrictJSON

extension JSONObject {
  /// What `record` encodes as a manifest holds it: without its `seconds`, since equal inputs give equal
  /// manifests.
  ///
  /// - Parameter order: names of members in the order in which they are written; others follow sorted.
  public init(recording record: some Encodable, order: [String] = []) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.nonConformingFloatEncodingStrategy = .recorded
    let value = try JSONParser.parse(Array(encoder.encode(record)))
    self = value.recorded(order).object ?? JSONObject()
  }
}

extension JSONValue {
  /// The record that this value holds; nil when it holds another one, or none.
  public func record<Record: Decodable>(_ type: Record.Type) -> Record? {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .recorded
    return try? decoder.decode(type, from: Data(compact.utf8))
  }

  fileprivate func recorded(_ order: [String]) -> JSONValue {
    switch self {
    case .array(let elements): return .array(elements.map { $0.recorded(order) })
    case .object(let object):
      let keys = order + object.keys.filter { !order.contains($0) }
      return .object(
        JSONObject(
          keys.filter { $0 != "seconds" }.compactMap { key in
            object[key].map { (key, $0.recorded(order)) }
          }))
    default: return self
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
