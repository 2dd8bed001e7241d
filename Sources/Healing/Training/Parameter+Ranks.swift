import Communication
import Kernels
import Mixers
import Streams
import TensorTypes

extension [Parameter] {
  /// Makes every gradient the sum over all ranks.
  func sumGradients(over ranks: Communicator) throws {
    for parameter in self {
      try withExtendedLifetime(parameter.gradient) { try ranks.sum($0.elements) }
    }
  }

  /// Gives all ranks the values of the first: unlike processors may round otherwise.
  func equalise(over ranks: Communicator) throws {
    for parameter in self {
      try withExtendedLifetime(parameter.value) { try ranks.broadcast($0.elements) }
    }
  }

  /// The values as tensors of layer `layer`.
  func tensors(ofLayer layer: Int) -> LayerTensors {
    let views = map {
      ($0.address(inLayer: layer), MemoryStorage.view($0.values, shape: $0.shape))
    }
    return LayerTensors(Dictionary(uniqueKeysWithValues: views))
  }
}
