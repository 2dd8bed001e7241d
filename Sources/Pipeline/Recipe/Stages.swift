import Checkpoints
import Communication
import Foundation
import StepSettings
import StrictJSON

/// Where the steps of a recipe write: the last one to the output, earlier ones beside it.
struct Stages {
  private let source: String
  private let output: String
  private let count: Int
  private let ranks: Communicator
  private var written = 0

  init(source: String, output: String, count: Int, ranks: Communicator) {
    self.ranks = ranks
    self.source = source
    self.output = output
    self.count = count
  }

  /// What the last writing step made; the source before the first.
  var latest: String { written > 0 ? path(written) : source }

  /// Where the next writing step writes.
  mutating func next() -> String {
    written += 1
    return path(written)
  }

  private func path(_ number: Int) -> String {
    number >= count ? output : "\(output).step\(number)"
  }

  /// Whether a step's result is there whole; it never is there in part.
  ///
  /// One process looks for all: a network file system may tell others of yesterday.
  func isComplete(_ path: String) throws -> Bool {
    try ranks.first { FileManager.default.fileExists(atPath: path) }
  }

  /// Throws when the place of a stage is taken, before the first step and not after hours: by what
  /// this program did not write, or, unless `mode` says what to do with it, by what it did.
  func requireOwn(_ mode: OutputDirectory.Mode) throws {
    guard ranks.isFirst else { return }
    for number in 1..<max(count + 1, 2) {
      let stage = path(number)
      let isPartial = try OutputDirectory.requireOwn(stage + ".partial")
      let isThere = try OutputDirectory.requireOwn(stage)
      guard !mode.resume && !mode.force else { continue }
      if isPartial || isThere && number < count {
        throw CheckpointError.partialExists(path: isPartial ? stage + ".partial" : stage)
      }
      if isThere { throw CheckpointError.outputExists(path: stage) }
    }
  }

  /// Whether an earlier run has made the output by `steps`; throws when it was made by others.
  func isFinished(by steps: [any Step]) throws -> Bool {
    try ranks.first {
      guard count > 0 else { return false }
      try OutputDirectory.finishInterrupted(output)
      guard FileManager.default.fileExists(atPath: output) else { return false }
      let made = (try? Manifest(directory: output))?.steps ?? []
      // A source may have a history of its own.
      let steps = zip(made.reversed(), steps.filter { $0 is any CheckpointStep }.reversed())
      guard !made.isEmpty, steps.allSatisfy({ $0.name.rawValue == type(of: $1).name }) else {
        throw CheckpointError.outputDiffers(path: output)
      }
      let differences = steps.flatMap { $0.differences(from: $1.recorded) }
      guard differences.isEmpty else {
        throw CheckpointError.outputDiffers(path: output, differences: differences)
      }
      return true
    }
  }

  /// Removes the results of all steps but the last.
  func removeIntermediates() {
    for number in 1..<max(count, 1) { try? OutputDirectory.remove(path(number)) }
  }
}

extension StepRecord {
  /// The settings that were others than `asked`.
  func differences(from asked: [(key: String, value: String)]) -> [FingerprintDifference] {
    asked.compactMap { key, value in
      // What was asked for, where a measurement decided.
      let selection = key == "attention-layers" ? LayerSelectionRecord(recorded: json) : nil
      let recorded = setting(key)
      return value == recorded || value == selection?.asked
        ? nil
        : FingerprintDifference(
          key: "--" + key, recorded: selection?.asked ?? recorded, current: value)
    }
  }
}

extension Step {
  /// Its settings as manifests record them.
  fileprivate var recorded: [(key: String, value: String)] { settings.fields }
}
