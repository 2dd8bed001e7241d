import Architectures
import Conversion
import Foundations
import ModelFiles
import Runtime
import StepSettings
import StrictJSON
import Verification

/// How far a conversion to parallel branches starts from its source, with the sinks asked for and
/// with others.
struct BranchDistances {
  private let distances: [(sinks: Int, distance: LogitDistance)]

  /// Numbers of sinks whose distance from the source is printed for comparison.
  private static let comparedSinks = [0, 4, 128]

  /// Measures the conversion of `source` by `settings` on the probe text, or on as much of it as the
  /// rotary embeddings hold for; sinks that do not fit before it are not compared.
  init(of source: ModelFile, settings: ConvertSettings, limits: Limits) throws {
    let room = source.description.longestText ?? .max, asked = settings.intraLayer.sinks
    let tokens = Array(ProbeText.tokens(for: source).prefix(max(1, room - asked)))
    let reference = try Model(
      source.description, weights: source, residency: limits.measuring)
    let compared = Self.comparedSinks.filter { $0 <= room - tokens.count }
    let counts = Set(compared + [asked]).sorted()
    distances = try counts.map { sinks in
      var changed = settings
      changed.intraLayer.sinks = sinks
      let plan = try ConversionPlan.make(from: source, settings: changed)
      let model = try Model(
        plan.description, weights: PlannedWeights(plan), residency: limits.measuring)
      return (sinks, try LogitDistance(of: model, from: reference, on: tokens))
    }
  }

  /// As manifests record it.
  var json: JSONObject {
    let measured: [(String, JSONValue)] = distances.map { sinks, distance in
      (
        "\(sinks)",
        ["largest": .rounded(distance.relative), "rms": .rounded(distance.rootMeanSquare)]
      )
    }
    return JSONObject([("logit_error_by_sinks", .object(JSONObject(measured)))])
  }

  /// For people.
  var text: String {
    distances.map {
      "with \(counted($0.sinks, "sink")) logits differ from the source's by at most "
        + "\(scientific($0.distance.relative)) of the largest, "
        + "\(scientific($0.distance.rootMeanSquare)) in root mean square"
    }.joined(separator: "\n")
      + "\nThis is the model as it starts; `verify --source` checks the mapping, with every layer as "
      + "window attention, and finds it exact."
  }
}
