import Checkpoints
import Foundation
import Kernels
import Mixers
import Runtime
import Streams
import TensorTypes

/// Where a second stage stands, apart from the parameters themselves.
struct DistillState: Codable {
  /// Steps taken.
  var step = 0
  /// Running mean of the divergence.
  var running = 0.0
  /// Held-out divergence at the start, once it was measured.
  var before: Double?
  /// The file of the parameters, once it was written.
  var parameters: FileRecord?
}

extension Workspace {
  private var statePath: String { directory + "/distill.json" }

  private func parameterName(_ step: Int) -> String { "distill.\(step).safetensors" }

  private func parameterPath(_ step: Int) -> String { directory + "/" + parameterName(step) }

  /// Keeps the state and the parameters with their moments; the last one saved before is removed.
  func save(_ state: DistillState, of model: TrainableModel) throws {
    let last = try storedState()?.step
    var views: [String: TensorView] = [:]
    for (name, parameter) in try model.namedParameters() {
      let moments = parameter.optimiser.moments
      for (part, values) in [
        ("value", parameter.values), ("first", moments.first), ("second", moments.second),
      ] {
        views["\(name).\(part)"] = MemoryStorage.view(values, shape: parameter.shape)
      }
    }
    try LayerFile.write(views, to: parameterPath(state.step))
    var state = state
    state.parameters = try FileRecord(of: parameterName(state.step), in: directory)
    try SealedFile.write(
      state, to: statePath, otherwise: HealingError.distillationDiverged(step: state.step))
    if let last, last != state.step { unlink(parameterPath(last)) }
  }

  /// The state that was saved, with `model`'s parameters set to it; the start when there is none.
  func distillState(of model: TrainableModel) throws -> DistillState {
    guard let state = try storedState() else { return DistillState() }
    guard let parameters = state.parameters else { throw StreamError.changed(path: statePath) }
    try parameters.requireIntact(in: directory)
    let file = try SafetensorsFile(path: parameterPath(state.step))
    for (name, parameter) in try model.namedParameters() {
      func values(_ part: String) throws -> [Float] {
        let view = try file.view("\(name).\(part)")
        guard view.shape == parameter.shape else {
          throw StreamError.changed(path: parameterPath(state.step))
        }
        return view.floats
      }
      parameter.value.copyRows(
        of: FloatMatrix(try values("value"), rows: parameter.value.rows), to: 0)
      parameter.optimiser.moments = .init(
        steps: state.step, first: try values("first"), second: try values("second"))
    }
    return state
  }

  private func storedState() throws -> DistillState? { try SealedFile.read(statePath) }
}

extension TrainableModel {
  /// The parameters by a name that is unique in the model.
  fileprivate func namedParameters() throws -> [(String, Parameter)] {
    try parameters.flatMap { layer, parameters in
      try parameters.map { (try LayerFile.name(of: $0.address(inLayer: layer)), $0) }
    }
  }
}
