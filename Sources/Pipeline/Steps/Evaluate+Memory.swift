import Foundations
import Runtime
import StrictJSON
import Verification

extension EvaluationInput {
  /// Evaluates with states emptied, beside `whole`, the evaluation as it is.
  func memory(
    beside whole: Evaluation, segments length: Int, _ context: Context
  ) throws -> EffectiveMemory {
    var progress: (every: Int, line: Progress)?
    defer { progress?.line.finish() }
    return try EffectiveMemory(of: model, on: tokens, context: length, beside: whole) {
      every, share in
      if progress?.every != every {
        progress = (
          every, context.progress("evaluating state:\(every)", unit: .things("tokens"))
        )
      }
      progress?.line.update(done: Int(share * Double(tokens.count)), total: tokens.count)
    }
  }
}

extension EffectiveMemory {
  /// The result as the command line prints it with `--json`.
  var json: JSONValue {
    let rows: [JSONValue] = rows.map { row in
      [
        "every": .int(row.every), "perplexity": .double(row.perplexity),
        "difference": .double(row.difference.mean),
        "standard_error": .double(row.difference.standardError),
      ]
    }
    return ["emptied": .array(rows), "effective": tokens.map { .int($0) } ?? .null]
  }

  /// The result in words.
  var text: String {
    var table = Table(rightAligned: [0, 1, 2, 3])
    table.add("state emptied each", "perplexity", "NLL difference", "error")
    for row in rows {
      table.add(
        "\(row.every)", fixed(row.perplexity, 3), fixed(row.difference.mean, 5),
        fixed(row.difference.standardError, 5))
    }
    let memory =
      tokens.map { counted($0, "token") }
      ?? "more than \(counted(rows.last?.every ?? 0, "token"))"
    return table.text + "\n\neffective memory: \(memory)"
  }
}
