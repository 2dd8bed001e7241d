import Mixers
import Synchronization

/// What a model's layers remember of its sinks, computed once and shared by copies of the model.
final class SinkMemory: Sendable {
  private let kept = Mutex<(states: [MixerState], ablation: Ablation?)?>(nil)

  /// The kept states, or those that `make` makes under `ablation`.
  func states(
    under ablation: Ablation?, make: () throws -> [MixerState]
  ) throws -> [MixerState] {
    if let kept = kept.withLock({ $0 }), kept.ablation == ablation { return kept.states }
    let states = try make()
    kept.withLock { $0 = (states, ablation) }
    return states
  }
}
