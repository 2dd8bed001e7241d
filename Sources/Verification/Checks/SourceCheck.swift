import Architectures
import Checkpoints
import Conversion
import Foundations
import Kernels
import ModelFiles
import Runtime
import StepSettings
import TensorTypes

/// With every layer run as softmax attention, an unhealed conversion is its source: this proves
/// names, order, biases, norms and rotary conventions, those of the linear layers included.
struct SourceCheck {
  /// Largest accepted difference relative to the largest logit.
  static let tolerance = 1e-5

  /// What the check is called.
  static let name = "source (in the output's types) = converted as all-window"

  let converted: ModelFile
  /// What the converted weights are run as.
  let description: ModelDescription
  let source: ModelFile
  let residency: Model.Residency
  let tokens: [Int]

  func run() throws -> CheckResult {
    let target = try Model(description, weights: converted, residency: residency)
    // A source that attends to a shorter window than the probe is compared on equal terms.
    let reference = try Model(
      source.description, weights: CastSource(source: source, target: converted),
      residency: residency)
    func run(_ model: Model) throws -> (Model, FloatMatrix) {
      var state = DecodingState(for: model.description)
      return (model, try model.extend(&state, with: tokens))
    }
    let comparison = try LogitsComparison(run(reference), run(target))
    let measured =
      "\(counted(tokens.count, "token")), largest difference \(scientific(comparison.difference))"
    if comparison.difference <= Self.tolerance {
      return .passed(Self.name, measured)
    }
    return .failed(
      Self.name,
      measured + " at position \(comparison.position), limit \(Self.tolerance)"
        + (try firstDifference(reference, target)))
  }

  /// Names the first layer after which the two differ.
  private func firstDifference(_ left: Model, _ right: Model) throws -> String {
    var seen: [[Float]] = []
    var state = DecodingState(for: left.description)
    _ = try left.extend(&state, with: tokens) { _, _, hidden in seen.append(Array(hidden.elements))
    }
    var found: Int?
    state = DecodingState(for: right.description)
    _ = try right.extend(&state, with: tokens) { layer, _, hidden in
      guard found == nil else { return }
      let scale = seen[layer].reduce(0) { max($0, $1.magnitude) }
      let worst = zip(seen[layer], hidden.elements).reduce(Float(0)) {
        max($0, ($1.0 - $1.1).magnitude)
      }
      if !(worst <= scale * Float(Self.tolerance)) { found = layer }
    }
    return found.map { $0 == 0 ? "; the embeddings differ" : "; layer \($0 - 1) differs first" }
      ?? "; the output head differs"
  }
}

/// A source's weights rounded to the types the conversion wrote them in.
struct CastSource: WeightSource {
  let source: ModelFile
  let target: ModelFile

  func view(_ address: TensorAddress) throws -> TensorView {
    let view = try source.view(address)
    guard let written = target.tensors[address]?.type,
      written != view.type || view.merge != nil
    else { return view }
    return view.rounded(to: written)
  }

  func name(of address: TensorAddress) -> String { source.name(of: address) }
}
