import Checkpoints
import ModelFiles
import StrictJSON

/// How a checkpoint was made: the steps that its manifest records, the earliest first.
struct History {
  /// One step.
  struct Step {
    /// `convert`, `heal`, `upcycle`, `calibrate`.
    var name: String
    /// All that was recorded of it.
    var record: JSONValue

    /// Its settings in their order.
    var settings: [(key: String, value: String)] {
      (record["settings"]?.object?.members ?? []).map {
        ($0.key, $0.value.string ?? $0.value.compact)
      }
    }

    /// What it had to say.
    var notes: [String] { (record["notes"]?.array ?? []).compactMap(\.string) }
  }

  let steps: [Step]

  /// The history of `file`; empty without a manifest.
  init(of file: ModelFile) throws {
    steps = (try Manifest(ifIn: file.path)?.steps ?? []).map(Step.init)
  }

  /// The steps called `name`.
  func steps(named name: String) -> [Step] { steps.filter { $0.name == name } }
}
