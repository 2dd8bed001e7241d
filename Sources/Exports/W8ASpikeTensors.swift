import Architectures
import Checkpoints
import Conversion
import ModelFiles
import StepSettings
import TensorTypes

/// The tensors that one requirement of the W8ASpike variant is written as.
struct W8ASpikeTensors {
  let file: ModelFile
  let requirement: ModelDescription.Requirement

  /// In float32, as published.
  var planned: [CheckpointPlan.PlannedTensor] {
    get throws {
      let address = requirement.address
      guard let name = GLASwa.names.name(of: address) else {
        throw ConversionError.noName("\(address)")
      }
      if address.role == .gateMerged, address.parameter == .bias,
        file.tensors[address] == nil
      {
        let high = TensorAddress(.gateHigh, .bias, layer: address.layer)
        return [try file.copy(high, as: address, named: name, dtype: .float32)]
      }
      guard W8ASpike.roles.contains(address.role), address.parameter == .weight else {
        return [try file.copy(address, named: name, dtype: .float32)]
      }
      return try projection(name)
    }
  }

  /// A weight and its scales.
  private func projection(_ name: String) throws -> [CheckpointPlan.PlannedTensor] {
    let address = requirement.address, shape = requirement.shape, size = W8ASpike.groupSize
    guard shape.columns % size == 0 else {
      throw ExportError.inputs(tensor: name, count: shape.columns, groupSize: size)
    }
    let origin = try file.codeOrigin(address)
    guard let weight = QuantizedRows(origin, WeightQuantization(.int8, .group(size)), name: name)
    else {
      throw file.granularityError(
        profile: W8ASpikeProfile.name, needed: WeightQuantization(.int8, .group(128)))
    }
    // What is rounded to scales at run time keeps its digits; codes that are fixed, and what the
    // public code takes as it is, are written as their multiples, which lead to the same codes.
    var transform: any TensorTransform = QuantizedTransform(weight: weight, part: .values)
    if case .rounded(let floats) = origin, W8ASpike.rounds(address.role) {
      transform = FloatsTransform(weight: floats)
    }
    let scale = TensorAddress(
      address.role, .scale, layer: address.layer, expert: address.expert)
    return [
      .init(address, name: name, shape: shape, type: .float32, transform: transform),
      .init(
        scale, name: name + W8ASpike.scaleSuffix, shape: [shape.rows, shape.columns / size, 1],
        type: .float32, transform: QuantizedTransform(weight: weight, part: .scales)),
    ]
  }
}

extension ModelFile {
  /// The codes of the projection at `address`, or its weights, which are still to be rounded.
  func codeOrigin(_ address: TensorAddress) throws -> QuantizedRows.Origin {
    if let quantization = description.quantization(of: address) {
      var scale = address
      scale.parameter = .scale
      return .codes(
        try view(address), scales: try view(scale), quantization,
        names: [try storedName(address), try storedName(scale)])
    }
    if address.role == .gateMerged, tensors[address] == nil {
      let high = TensorAddress(.gateHigh, layer: address.layer)
      let low = TensorAddress(.gateLow, layer: address.layer)
      return .rounded(
        .product(
          high: try view(high), low: try view(low),
          names: [try storedName(high), try storedName(low)]))
    }
    return .rounded(.stored(try view(address), name: try storedName(address)))
  }

  private func storedName(_ address: TensorAddress) throws -> String {
    guard let name = tensors[address]?.name else {
      throw ModelFileError.noTensor(path: path, address: address)
    }
    return name
  }

  /// Codes or scales that are not those a profile needs.
  func granularityError(profile: String, needed: WeightQuantization) -> ExportError {
    .granularity(
      profile: profile, found: description.quantization?.text ?? "none", needed: needed, path: path)
  }
}
