import StrictJSON
import TensorTypes

/// Manifests of version 1 said what a transform did in a sentence. Its clauses, between commas,
/// become the value that this version writes, as far as the sentence goes.
extension TransformRecord {
  /// The value of `sentence`, which a manifest of version 1 gives a tensor of type `type`. One that
  /// no version of this program wrote is kept as it is, with the kind `other`.
  init(version1 sentence: String, of type: ScalarType) {
    self =
      Self.list(sentence) ?? Self.assembled(sentence, type) ?? Self.clauses(sentence[...], type)
      ?? TransformRecord("other", [("words", .string(sentence))])
  }

  /// The clauses: text with a parameter's name where its value stands, the kind of the sentences that
  /// begin with it, and parameters that are not in the text.
  private static let table: [(clause: String, kind: String?, fixed: [(String, JSONValue)])] = [
    ("copy", "copy", []),
    ("cast from {from}", "cast", []),
    ("copied from float32", "copy", []),
    ("copied from {from}", "cast", []),
    ("from {from}", nil, []),
    ("rotary pairs de-interleaved", nil, [("rotary_pairs", "de-interleaved")]),
    ("rounded to its scales", nil, [("rounded_to_scales", true)]),
    ("constant {value}", "constant", []),
    ("uniform within {within} around {around}", "uniform", []),
    ("seed {seed}", nil, []),
    ("noise {noise}", nil, []),
    ("row {row} and {random_rows} random ones", "sinks", []),
    ("row {row}", "sinks", []),
    ("scaled by {by}", "scaled", []),
    ("rows {rows_repeated} times", nil, []),
    ("columns {columns_repeated} times", nil, []),
    ("{copies} times", nil, []),
    ("neurons of expert {expert}", "neurons", []),
    ("neurons of the shared expert", "neurons", [("expert", "shared")]),
    ("hole", "hole", []),
    ("healed", "healed", []),
    ("clustered", "clustered", []),
    ("fitted to neurons", "fitted_to_neurons", []),
    ("refitted", "refitted", []),
    ("int8", "int8", []),
    ("product", "product", []),
    ("codes packed by four", "quantised", [("part", "packed_codes")]),
    ("codes", "quantised", [("part", "codes")]),
    ("scales", "quantised", [("part", "scales")]),
    ("code x scale", "quantised", [("part", "values")]),
    ("q8_0 blocks", "quantised", [("part", "q8_0_blocks")]),
    ("INT8 as stored", nil, [("codes", "stored")]),
    ("rounded to INT8", nil, [("codes", "rounded")]),
    ("group {group}", nil, []),
    ("channel", nil, [("group", "channel")]),
    ("nearest", nil, [("rounding", "nearest")]),
    ("scales rounded to {scales}", nil, []),
    ("all of {of}", "assembled", []),
    ("rows", "assembled", [("split", "rows")]),
    ("halves", "assembled", [("split", "halves")]),
    ("columns", "assembled", [("split", "columns")]),
    ("part {part} of {parts}", nil, []),
    ("of {of}", nil, []),
    ("expert {expert}", nil, []),
  ]

  /// A sentence of clauses that are all in the table, the first with a kind. A clause names the type
  /// that is cast; what it is cast to is the tensor's own.
  private static func clauses(_ sentence: Substring, _ type: ScalarType) -> TransformRecord? {
    var record: TransformRecord?
    for clause in sentence.split(separator: ", ") {
      let matches = table.lazy.compactMap { row in
        values(in: clause, by: row.clause).map { (row, $0) }
      }
      guard let (row, values) = matches.first,
        var next = record ?? row.kind.map({ TransformRecord(Kind(rawValue: $0)) })
      else { return nil }
      for (name, value) in values + row.fixed {
        if name == "from" {
          guard let source = value.string.flatMap(ScalarType.init(rawValue:)) else { return nil }
          next.cast(from: [source], to: type)
        } else {
          next[name] = value
        }
      }
      record = next
    }
    return record
  }

  /// What Megatron's parameters were put together from: `cast from TYPES: ` before the other clauses.
  private static func assembled(_ sentence: String, _ type: ScalarType) -> TransformRecord? {
    guard let colon = sentence.firstRange(of: ": "),
      let types = values(in: sentence[..<colon.lowerBound], by: "cast from {from}")?.first?.value,
      var record = clauses(sentence[colon.upperBound...], type)
    else { return nil }
    let names = (types.string ?? "").split(separator: ", ").map(String.init)
    record.cast(from: names.compactMap(ScalarType.init(rawValue:)), to: type)
    return record
  }

  /// Sentences whose commas are those of a list.
  private static func list(_ sentence: String) -> TransformRecord? {
    for (clause, kind, name) in [
      ("values {list}", "given", "values"), ("shape [{list}]", "shape", "dimensions"),
    ] {
      guard let list = values(in: sentence[...], by: clause)?.first?.value else { continue }
      let elements = (list.string ?? list.compact).split(separator: ", ").map(number)
      return TransformRecord(Kind(rawValue: kind), [(name, .array(elements))])
    }
    return nil
  }

  /// The values that `text` has in the places of `pattern`; nil when it is another text.
  private static func values(
    in text: Substring, by pattern: String
  ) -> [(name: String, value: JSONValue)]? {
    var text = text, found: [(String, JSONValue)] = []
    let parts = pattern.split(separator: "{", omittingEmptySubsequences: false)
    guard text.hasPrefix(parts[0]) else { return nil }
    text.removeFirst(parts[0].count)
    for part in parts.dropFirst() {
      let names = part.split(separator: "}", omittingEmptySubsequences: false)
      let end = names[1].isEmpty ? text.endIndex : text.firstRange(of: names[1])?.lowerBound
      guard let end, end > text.startIndex else { return nil }
      found.append((String(names[0]), number(text[..<end])))
      text = text[end...].dropFirst(names[1].count)
    }
    return text.isEmpty ? found : nil
  }

  /// A number if `text` is one, and a text otherwise.
  private static func number(_ text: Substring) -> JSONValue {
    if case .number(let number)? = try? JSONParser.parse(text.utf8) { return .number(number) }
    return .string(String(text))
  }
}
