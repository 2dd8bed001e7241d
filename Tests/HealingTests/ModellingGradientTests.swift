import Architectures
import Checkpoints
import Kernels
import Mixers
import ModelFiles
import StepSettings
import Streams
import TensorTypes
import TestSupport
import Testing

@testable import Healing

/// Gradients through a whole model with a layer of every mixer and sinks, against those that PyTorch derives from our
/// modelling code in float64 (Tests/Reference/exports/make_gradients.py).
@Suite struct ModellingGradientTests {
  private static let limit: Float = 1e-4

  @Test(arguments: [false, true])
  func `gradients are those of the modelling code`(_ recomputes: Bool) throws {
    let directory = Repository.fixture("healing/modelling")
    let file = try ModelFile.open(directory)
    let golden = try SafetensorsFile(path: directory + "/golden.safetensors")
    let tokens = try golden.view("tokens")
    let ids = withExtendedLifetime(tokens) {
      tokens.bytes.bindMemory(to: Int32.self).map { Int($0) }
    }
    let student = DescribedModel(file.description, weights: file)
    // The teacher's stream is given, and its head is the student's.
    let model = try TrainableModel(
      student, teacher: student, scope: .attention, recomputes: recomputes)
    let sum = try model.divergence(
      ids, segments: 2, source: FloatMatrix(decoding: golden.view("source")),
      factor: 1 / Float(ids.count))
    let loss = try #require(golden.view("loss").floats.first)
    #expect(abs(Float(sum) / Float(ids.count) - loss) <= Self.limit * loss)

    var compared = 0
    for (layer, parameters) in model.parameters {
      // The norms contain the factors of the branches, which are written as 1.
      for parameter in parameters where parameter.role != .branchScale {
        let address = parameter.address(inLayer: layer)
        let name = try #require(file.architecture.names.name(of: address))
        guard golden.tensor(named: "gradient.\(name)") != nil else {
          Issue.record("the modelling code has no gradient for \(name)")
          continue
        }
        let expected = try golden.view("gradient.\(name)").floats
        let found = parameter.gradient.values
        try #require(found.count == expected.count)
        let scale = expected.reduce(0) { max($0, $1.magnitude) }
        let worst = zip(found, expected).reduce(Float(0)) { max($0, ($1.0 - $1.1).magnitude) }
        #expect(worst <= Self.limit * scale, "\(name): \(worst / scale)")
        compared += 1
      }
    }
    let all = golden.tensors.count { $0.name.hasPrefix("gradient.") }
    #expect(compared == all)
  }
}
