import Communication
import Conversion
import ModelFiles
import Recipes
import Runtime
import StrictJSON
import TensorTypes
import Verification

/// Converts to parallel branches, measuring first how far the result is from the source.
struct IntraLayerRunner {
  let settings: ConvertSettings
  let output: OutputOptions

  /// Numbers of sinks whose distance from the source is printed for comparison.
  private static let comparedSinks = [0, 4, 128]

  /// Writes the converted `source` to the directory `out`, or describes it.
  func run(_ source: ModelFile, to out: String) throws -> Report {
    var plan = try ConversionPlan.make(from: source, settings: settings)
    guard !output.dryRun else {
      return try PlanRunner(output: output).run(plan, from: source.inputs, to: out)
    }
    // What was measured goes into the manifest, which the first process writes.
    let distances = try World.ranks.together {
      World.ranks.isFirst ? try self.distances(from: source) : []
    }
    plan.measurements = JSONObject([
      (
        "logit_error_by_sinks",
        .object(
          JSONObject(
            distances.map { sinks, distance in
              let measured: JSONValue = [
                "largest": .rounded(distance.relative), "rms": .rounded(distance.rootMeanSquare),
              ]
              return ("\(sinks)", measured)
            }))
      )
    ])
    let report = try PlanRunner(output: output).run(plan, from: source.inputs, to: out)
    guard !report.wasComplete else { return report }
    var json = report.json.object ?? JSONObject()
    json["measured"] = .object(plan.measurements)
    let lines = distances.map {
      "with \(counted($0.sinks, "sink")) logits differ from the source's by at most "
        + "\(scientific($0.distance.relative)) of the largest, "
        + "\(scientific($0.distance.rootMeanSquare)) in root mean square"
    }
    return Report(
      json: .object(json), text: ([report.text] + lines).joined(separator: "\n"))
  }

  /// How far the converted model starts from its source, with the sinks asked for and others.
  private func distances(
    from source: ModelFile
  ) throws -> [(sinks: Int, distance: LogitDistance)] {
    let bytes = output.limits.maxRam?.bytes ?? 1 << 30
    let residency = Model.Residency.bounded(bytes: bytes)
    let tokens = ProbeText.tokens(for: source)
    let reference = try Model(source.description, weights: source, residency: residency)
    return try Set(Self.comparedSinks + [settings.intraLayer.sinks]).sorted().map { sinks in
      var changed = settings
      changed.intraLayer.sinks = sinks
      let plan = try ConversionPlan.make(from: source, settings: changed)
      let model = try Model(
        plan.description, weights: PlannedWeights(plan), residency: residency)
      return (sinks, try LogitDistance(of: model, from: reference, on: tokens))
    }
  }
}
