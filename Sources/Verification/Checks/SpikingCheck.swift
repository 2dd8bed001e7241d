import Architectures
import Foundations
import Kernels
import Runtime

/// A spiked model's layers give the same however tokens are read, and a saved
/// state goes on as the live one.
///
/// Prefill and decoding round differently by some 1e-7. Now and then that moves an activation across
/// the middle between two counts, and later layers spread the difference: logits of a whole spiked
/// model do not agree more closely than spikes are coarse. So layers are compared one by one, each
/// on the same input, and whole models without their spikes by `LogitsCheck`.
struct SpikingCheck {
  let model: Model
  let tokens: [Int]

  func run() throws -> [CheckResult] {
    var state = DecodingState(for: model.description), entering: [FloatMatrix] = []
    _ = try model.extend(&state, with: tokens) { layer, _, hidden in
      entering.append(hidden.copy)
    }
    return [
      .passed("spiking", "finite for \(counted(tokens.count, "token"))"), try layers(entering),
      try restored(),
    ]
  }

  private func layers(_ entering: [FloatMatrix]) throws -> CheckResult {
    var differences: [Double] = [], worst = (0.0, layer: 0)
    for layer in model.description.layers.indices {
      func leaving(stepwise: Bool) throws -> FloatMatrix {
        try model.resume(
          entering[layer].copy, at: layer, through: layer, tokens: tokens, stepwise: stepwise)
      }
      let together = try leaving(stepwise: false), steps = try leaving(stepwise: true)
      for row in 0..<together.rows {
        var difference: Float = 0, largest: Float = 1e-30
        for (a, b) in zip(together[row], steps[row]) {
          difference = max(difference, (a - b).magnitude)
          largest = max(largest, a.magnitude)
        }
        let relative = Double(difference / largest)
        differences.append(relative)
        if !(relative <= worst.0) { worst = (relative, layer) }
      }
      withExtendedLifetime((together, steps)) {}
    }
    let median = differences.sorted()[differences.count / 2]
    let apart = differences.count { !($0 <= LogitsCheck.tolerance) }
    let measured =
      "difference \(scientific(median)) in the median, \(scientific(worst.0)) at worst (layer "
      + "\(worst.layer)), of a token's largest value; \(apart) of \(differences.count) over "
      + "\(LogitsCheck.tolerance), where a count was rounded the other way"
    let name = "spiking layers: prefill = decode"
    return median <= LogitsCheck.tolerance && worst.0.isFinite
      ? .passed(name, measured) : .failed(name, measured)
  }

  /// Reads half of the tokens, and the rest from the live state and from a restored one.
  private func restored() throws -> CheckResult {
    let half = tokens.count / 2, rest = Array(tokens[half...])
    var (state, restored) = try model.states(after: Array(tokens[..<half]))
    let live = try model.extend(&state, with: rest)
    let again = try model.extend(&restored, with: rest)
    defer { withExtendedLifetime((live, again)) {} }
    let name = "spiking state save/restore"
    return zip(live.elements, again.elements).allSatisfy { $0 == $1 }
      ? .passed(name, "the same to the last bit")
      : .failed(name, "a restored state goes on differently")
  }
}
