import Architectures
import Kernels
import Runtime
import StepSettings
import Streams
import TensorTypes

/// The projections of one layer on their way to integers.
struct LayerQuantization {
  let layer: Int
  let model: ModelDescription
  let weights: any WeightSource
  let observer: MomentsObserver
  let settings: QuantizationSettings

  /// Rounds every projection; returns codes and scales, and what was found.
  func run() throws -> (tensors: LayerTensors, reports: [WeightQuantizer.ProjectionReport]) {
    var tensors = LayerTensors()
    var reports: [WeightQuantizer.ProjectionReport] = []
    var feedbacks: [SpikingSite: RoundingFeedback] = [:]
    for site in model.spikingSites(ofLayer: layer) {
      guard let role = site.projection.quantizedRole else { continue }
      let address = TensorAddress(role, layer: layer, expert: site.expert)
      let weight = try weights.view(address)
      // Experts that no token is sent to are rounded too.
      if let found = NotFinite(in: weight) {
        throw RuntimeError.weight(
          weights.name(of: address), value: found.value, index: found.index)
      }
      let (moments, isIdle) = observer.moments(at: site)
      var method = QuantizedWeight.Method.search(importance: nil)
      switch settings.rounding {
      case .nearest: method = .nearest
      case .search: method = .search(importance: moments?.meanSquares)
      case .gptq:
        if let moments {
          let origin = observer.origin(of: site)
          let known = isIdle ? nil : feedbacks[origin]
          let feedback = try known ?? moments.feedback(damping: settings.damping)
          if !isIdle { feedbacks[origin] = feedback }
          method = .secondOrder(feedback)
        }
      }
      let rounded = QuantizedWeight(
        rounding: weight, settings.quantization, method: method)
      var report = WeightQuantizer.ProjectionReport(
        name: site.name, error: moments.map { error($0, weight, rounded) },
        isIdle: isIdle, codeBytes: rounded.codes.bytes.count, scaleBytes: 4 * rounded.scales.count)
      if settings.comparing, let moments {
        report.compared = try compare(moments, weight)
      }
      reports.append(report)
      tensors.set(address, to: rounded.codes)
      var scale = address
      scale.parameter = .scale
      tensors.set(
        scale, to: MemoryStorage.view(rounded.scales, shape: [rounded.rows, rounded.groups]))
    }
    return (tensors, reports)
  }

  /// The errors of all ways of rounding, for tables.
  private func compare(
    _ moments: InputMoments, _ weight: TensorView
  ) throws -> [String: Double] {
    let feedback = try moments.feedback(damping: settings.damping)
    let methods: [(name: WeightRounding, method: QuantizedWeight.Method)] = [
      (.nearest, .nearest), (.search, .search(importance: moments.meanSquares)),
      (.gptq, .secondOrder(feedback)),
    ]
    var errors: [String: Double] = [:]
    for granularity in settings.compared {
      for (name, method) in methods {
        let rounded = QuantizedWeight(
          rounding: weight, WeightQuantization(settings.quantization.codes, granularity),
          method: method)
        errors["\(granularity.text) \(name.rawValue)"] = error(moments, weight, rounded)
      }
    }
    return errors
  }

  /// Rows compared at a time.
  private static let blockRows = 64

  /// |x (W - Ŵ)ᵀ| / |x Wᵀ| over the calibration text, root mean square.
  private func error(
    _ moments: InputMoments, _ weight: TensorView, _ rounded: QuantizedWeight
  ) -> Double {
    var error = 0.0, power = 0.0
    for first in stride(from: 0, to: weight.rows, by: Self.blockRows) {
      let rows = first..<min(first + Self.blockRows, weight.rows)
      let original = FloatMatrix(decoding: weight, rows: rows)
      let difference = rounded.decoded(rows: rows)
      difference.add(original, times: -1)
      error += moments.power(of: difference)
      power += moments.power(of: original)
    }
    return power > 0 ? (error / power).squareRoot() : 0
  }
}
