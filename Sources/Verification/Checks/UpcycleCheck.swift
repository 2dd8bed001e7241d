import Architectures
import Checkpoints
import Foundations
import ModelFiles
import Runtime
import StrictJSON

/// An upcycled model computes what the dense one does, as far off as its manifest says.
struct UpcycleCheck {
  static let name = "upcycled = dense"

  let file: ModelFile
  let dense: Model
  let residency: Model.Residency
  let manifest: Manifest?

  func run() throws -> CheckResult {
    let stated =
      manifest?.recipe["measured"]?["largest_relative_logit_error"]?.double ?? 0
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
