import Foundations
public import StrictJSON
import TensorTypes
import Verification

/// What a step has to say when it is done, for programs and for people.
public struct Report: Sendable {
  /// The facts.
  public var json: JSONObject
  /// The same in words, some lines.
  public var text: String
  /// Whether what was checked is right.
  public var passed = true

  /// A report of the same facts twice.
  public init(json: JSONObject, text: String) {
    self.json = json
    self.text = text
  }

  /// What every step says that finds its output finished.
  static func alreadyComplete(_ out: String, _ json: JSONObject = JSONObject()) -> Report {
    var json = json
    json["output"] = .string(out)
    return Report(json: json, text: "\(out) is already complete")
  }

  /// The facts of several reports in one, their words one below the other.
  init(_ parts: [Report], separator: String = "\n") {
    json = parts.reduce(JSONObject()) { $0.merging($1.json) }
    text = parts.map(\.text).filter { !$0.isEmpty }.joined(separator: separator)
  }
}

extension JSONValue {
  /// A measured number with two significant digits: more would be noise.
  package static func rounded(_ value: Double) -> JSONValue { .number(scientific(value)) }
}

/// A measured number as records hold it: with no more decimal places than it is worth.
func recorded(_ value: Double, places: Int) -> Double { Double(fixed(value, places)) ?? value }
