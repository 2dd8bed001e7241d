import Architectures
import StepSettings
import Streams

extension Healer {
  /// About the most memory that the healing takes, mapped weights included, by the stage that takes
  /// most.
  public func memoryNeeded() throws -> (stage: String, bytes: Int) {
    // The estimate has a layer of both models mapped.
    let first = try sweep.memoryNeeded(
      for: refit(steps: mostSteps), models: [source, student])
    let isSecond = distillationBytes > first
    // In whole MiB, as a limit is given.
    let mebibytes = ((isSecond ? distillationBytes : first) + (1 << 20) - 1) >> 20
    return (isSecond ? "second" : "first", mebibytes << 20)
  }
}

extension AttentionRefit {
  /// Bytes that the fit of a layer takes.
  var bytes: Int {
    guard settings.method != .none else { return 0 }
    let model = student.model.description
    let hidden = model.hiddenSize, query = model.queryWidth, keyValue = model.keyValueWidth
    let float = MemoryLayout<Float>.stride, double = MemoryLayout<Double>.stride
    let attention = 2 * hidden * (query + keyValue) * float
    let rows = settings.batch * (model.sinkCount + settings.context)
    // Streams, targets and their copies with sinks; projections, decays and heads.
    let forward = rows * (6 * hidden + 3 * query + 4 * keyValue) * float
    // Two sums and a factor; the solution, and its error.
    let closedForm =
      settings.method == .gradient
      ? 0 : double * (3 * query * query + 5 * hidden * query) + 2 * hidden * query * float
    // Gradients of all that is computed; of parameters two moments and the start as well.
    let trains = settings.method != .ridge && steps > 0
    return attention * (trains ? 5 : 1) + forward + max(closedForm, trains ? forward : 0)
  }
}
