import Architectures
import Checkpoints
import Conversion
import Foundations
import ModelFiles

/// Every neuron of a carved feed-forward part belongs to exactly one expert, as the manifest records
/// it. That the experts hold those neurons is proven with `--source`.
struct NeuronsCheck {
  let file: ModelFile
  private let step: StepRecord

  /// The check of `file`; nil when its manifest records no carving.
  init?(file: ModelFile, manifest: Manifest) {
    guard let step = manifest.steps.last(where: { $0.name == .upcycle }),
      step.setting("carve").flatMap(Int.init) != nil
    else { return nil }
    (self.file, self.step) = (file, step)
  }

  func run() -> CheckResult {
    let name = "neurons", model = file.description
    do {
      try NeuronPartition(recorded: step).check(against: model)
    } catch {
      return .failed(name, error.what)
    }
    let layers = model.layers.count { $0.feedForward != .dense }
    return .passed(
      name,
      "each of the \(model.feedForwardSize) neurons of \(counted(layers, "dense part")) belongs to "
        + "one expert, as recorded")
  }
}
