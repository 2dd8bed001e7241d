import Checkpoints
import Foundation
import ModelFiles
import Pipeline
import Runtime

/// The same for what steps read.
enum Steps {
  static let targets: [String: @Sendable ([UInt8]) throws -> Void] = [
    "recipe": { bytes in
      _ = try Recipe(yaml: String(decoding: bytes, as: UTF8.self), file: "recipe.yaml")
    },
    "state": { bytes in
      let file = try SafetensorsFile(path: Place.file("state", bytes))
      let views = try file.tensors.map { ($0.name, try file.view($0.name)) }
      // A hash that is always the same: else nothing behind it would be reached.
      let owner = StateFile.Owner(try model.get().description, weights: "w") { _ in "h" }
      _ = try StateFile.state(
        in: "state", metadata: file.metadata,
        tensors: Dictionary(views, uniquingKeysWith: { first, _ in first }), for: owner)
    },
  ]

  /// The model that states are said to belong to.
  private static let model = Result {
    try ModelFile.open(ProcessInfo.processInfo.environment["FUZZ_MODEL"] ?? "demo/tiny-qwen2")
  }
}
