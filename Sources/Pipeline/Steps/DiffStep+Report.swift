import Foundations
import StrictJSON
import TensorTypes
import Verification

extension DiffStep {
  /// Lines that are shown of a list; --json has all.
  private static let shownLines = 20

  static func report(_ keys: [ConfigurationDifference]) -> Report {
    func value(_ value: JSONValue?) -> String { value?.shown ?? "absent" }
    let json = keys.map { key -> JSONValue in
      var object: JSONObject = ["key": .string(key.key), "counts": .bool(key.matters)]
      if let a = key.a { object["a"] = a }
      if let b = key.b { object["b"] = b }
      return .object(object)
    }
    let lines = keys.map {
      "  \($0.key): \(value($0.a)) / \(value($0.b))\($0.matters ? "" : " (not counted)")"
    }
    return Report(
      json: ["configuration": .array(json)],
      text: keys.isEmpty
        ? "configuration: the same"
        : "configuration: \(counted(keys.count, "key")) with different values\n"
          + list(lines, all: true))
  }

  static func report(_ tensors: TensorDifferences, all: Bool) -> Report {
    let differing = tensors.differing.map { tensor -> JSONValue in
      [
        "name": .string(tensor.name), "kind": .string(tensor.kind.rawValue),
        "types": [.string(tensor.types.a.rawValue), .string(tensor.types.b.rawValue)],
        "shapes": [
          .ints(tensor.shapes.a.dimensions), .ints(tensor.shapes.b.dimensions),
        ],
        "largest": .rounded(tensor.largest), "relative": .rounded(tensor.relative),
      ]
    }
    let json: JSONObject = [
      "tensors": [
        "same_bytes": .int(tensors.sameBytes), "same_values": .int(tensors.sameValues),
        "same_after_cast": .int(tensors.sameAfterCast),
        "only_a": .array(tensors.onlyA.map { .string($0) }),
        "only_b": .array(tensors.onlyB.map { .string($0) }),
        "differing": .array(differing),
      ]
    ]
    var parts = [
      "tensors: \(tensors.sameBytes) with the same bytes, \(tensors.sameValues) with the same "
        + "numbers stored otherwise, \(tensors.differing.count) that differ"
        + (tensors.sameAfterCast > 0
          ? " (\(tensors.sameAfterCast) of them by rounding to the narrower type)" : "")
        + ", \(tensors.onlyA.count) only in A, \(tensors.onlyB.count) only in B"
    ]
    let lines = tensors.differing.map { tensor -> String in
      guard tensor.shapes.a == tensor.shapes.b else {
        return "  \(tensor.name): \(tensor.shapes.a) / \(tensor.shapes.b)"
      }
      let types =
        tensor.types.a == tensor.types.b ? "" : " (\(tensor.types.a) / \(tensor.types.b))"
      return "  \(tensor.name): \(scientific(tensor.largest)), "
        + "\(scientific(tensor.relative)) of the largest\(types)"
    }
    for (lines, all) in [
      (lines, all), (tensors.onlyA.map { "  only in A: \($0)" }, all),
      (tensors.onlyB.map { "  only in B: \($0)" }, all),
    ] where !lines.isEmpty {
      parts.append(list(lines, all: all))
    }
    return Report(json: json, text: parts.joined(separator: "\n"))
  }

  private static func list(_ lines: [String], all: Bool) -> String {
    guard !all, lines.count > shownLines else { return lines.joined(separator: "\n") }
    let rest = lines.count - shownLines
    return (lines.prefix(shownLines) + ["  and \(rest) more: --tensors, or --json"])
      .joined(separator: "\n")
  }
}
