public import Architectures
public import TensorTypes

/// What a model is, and its weights.
public struct DescribedModel {
  /// What it is.
  public let description: ModelDescription
  /// Its weights.
  public let weights: any WeightSource

  /// A model of `description` with `weights`.
  public init(_ description: ModelDescription, weights: any WeightSource) {
    self.description = description
    self.weights = weights
  }
}

extension DescribedModel {
  /// The model with `tensors` in the place of its own.
  package func with(_ tensors: LayerTensors) -> DescribedModel {
    DescribedModel(description, weights: Overlay(tensors: tensors, below: weights))
  }
}
