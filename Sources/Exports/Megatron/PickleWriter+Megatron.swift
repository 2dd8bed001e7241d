import Checkpoints
import StrictJSON

extension PickleWriter {
  /// The first members of Megatron's dictionaries: the arguments, and what tells loaders that this is
  /// no interrupted training.
  mutating func megatronHead(_ arguments: JSONObject) {
    text("args")
    object("argparse", "Namespace") { $0.dictionary { $0.members(arguments) } }
    text("checkpoint_version")
    float(MegatronCheckpoint.version)
    text("iteration")
    int(0)
  }
}
