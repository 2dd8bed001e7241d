import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

extension Healer {
  /// About the most memory that the healing takes, mapped weights included, by the stage that takes
  /// most.
  public func memoryNeeded() throws -> (stage: String, bytes: Int) {
    let first = try firstStageBytes(), isSecond = distillationBytes > first
    // In whole MiB, as a limit is given.
    let mebibytes = ((isSecond ? distillationBytes : first) + (1 << 20) - 1) >> 20
    return (isSecond ? "second" : "first", mebibytes << 20)
  }

  /// About the most that taking the streams through the layers and fitting one of these takes.
  private func firstStageBytes() throws -> Int {
    let hidden = model.hiddenSize, query = model.queryWidth, keyValue = model.keyValueWidth
    let float = MemoryLayout<Float>.stride, double = MemoryLayout<Double>.stride
    // The program, and panels of decoded weights.
    let program = (56 << 20) + Parallel.threadCount * (4 << 20)
    // The estimate has a layer of both models mapped, the source's and the healed one.
    let layers = try largestLayer(teacher, teacherWeights) + largestLayer(model, studentWeights)
    let pass = segments.length * (6 * hidden + 3 * query + 3 * largestFeedForward) * float
    guard settings.method != .none else { return program + layers + pass }
    let attention = 2 * hidden * (query + keyValue) * float
    let rows = settings.batch * (model.sinkCount + segments.length)
    // Streams, targets and their copies with sinks; projections, decays and heads.
    let forward = rows * (6 * hidden + 3 * query + 4 * keyValue) * float
    // Two sums and a factor; the solution, and its error.
    let closedForm =
      settings.method == .gradient
      ? 0 : double * (3 * query * query + 5 * hidden * query) + 2 * hidden * query * float
    // Gradients of all that is computed; of parameters two moments and the start as well.
    let trains = settings.method != .ridge && settings.steps > 0
    let fit =
      attention * (trains ? 5 : 1) + forward + max(closedForm, trains ? forward : 0)
    return program + layers + max(pass, fit)
  }

  /// Neurons of the widest feed-forward part that a token passes through.
  private var largestFeedForward: Int {
    model.layers.map { $0.feedForward.experts?.activeSize ?? model.feedForwardSize }.max() ?? 0
  }

  /// Bytes of the largest layer of a model, in the type of its attention.
  private func largestLayer(
    _ model: ModelDescription, _ weights: any WeightSource
  ) throws -> Int {
    try model.layers.indices.map { layer in
      let type = try weights.view(TensorAddress(.query, layer: layer)).type
      return model.requirements(ofLayer: layer).reduce(0) {
        $0 + ($1.shape.byteCount(type) ?? 0)
      }
    }.max() ?? 0
  }
}
