import Checkpoints
package import ModelFiles
package import StrictJSON

/// How a checkpoint was made: the steps that its manifest records, the earliest first.
package struct History {
  /// One step.
  package struct Step {
    /// `convert`, `heal`, `upcycle`, `calibrate`.
    package var name: String
    /// All that was recorded of it.
    package var record: JSONValue

    /// Its settings in their order.
    package var settings: [(key: String, value: String)] {
      (record["settings"]?.object?.members ?? []).map {
        ($0.key, $0.value.string ?? $0.value.compact)
      }
    }

    /// What it had to say.
    package var notes: [String] { (record["notes"]?.array ?? []).compactMap(\.string) }
  }

  package let steps: [Step]

  /// The history of `file`; empty without a manifest.
  package init(of file: ModelFile) throws {
    steps = (try Manifest(ifIn: file.path)?.steps ?? []).map(Step.init)
  }

  /// The steps called `name`.
  package func steps(named name: String) -> [Step] { steps.filter { $0.name == name } }
}
