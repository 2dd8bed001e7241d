import Architectures
import Foundations
import ModelFiles
import Runtime

/// An upcycled model computes what the dense one does, as far off as its manifest says.
struct UpcycleCheck {
  static let name = "upcycled = dense"

  let file: ModelFile
  let dense: Model
  let residency: Model.Residency
  /// What the manifest says.
  let stated: DenseDistance?

  func run() throws -> CheckResult {
    let stated = stated?.largest ?? 0
    let tokens = ProbeText.tokens(for: file)
    let model = try Model(file.description, weights: file, residency: residency)
    let distance = try LogitDistance(of: model, from: dense, on: tokens)
    // Rounding differs with the machine and the number of threads.
    let limit = 1.1 * stated + SourceCheck.tolerance
    let measured =
      "\(counted(distance.tokens, "token")), largest difference \(scientific(distance.relative)) of the "
      + "largest logit, stated \(scientific(stated))"
    return distance.relative <= limit
      ? .passed(Self.name, measured) : .failed(Self.name, measured)
  }
}
