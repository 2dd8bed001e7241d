import Checkpoints
import Foundations
import TensorTypes

extension ModelFile {
  /// Tensors that are left out because somebody asked for it.
  package struct LeftOut: Sendable, Equatable {
    /// The patterns that left something out.
    package internal(set) var patterns: [String] = []
    /// Those that match no tensor of the files.
    package internal(set) var unmatched: [String] = []
    /// What to tell the user; nil when nothing is left out.
    package internal(set) var note: String?
  }

  /// The same checkpoint without the tensors that match a pattern: those that would be refused because the
  /// model has no place for them.
  ///
  /// - Parameters:
  ///   - patterns: what the user gave: names with `*` and `?`.
  ///   - recorded: what was given when something was made of this checkpoint: it need not match.
  /// - Throws: when one of `patterns` matches a tensor that the model needs.
  package func leavingOut(
    _ patterns: [String], recorded: [String] = []
  ) throws(ModelFileError) -> ModelFile {
    guard !patterns.isEmpty || !recorded.isEmpty else { return self }
    var copy = self
    let extra = problems.compactMap(\.superfluous)
    var left: Set<String> = [], used: [String] = []
    for text in patterns + recorded where !used.contains(text) {
      let pattern = TensorPattern(text)
      let matched = extra.filter(pattern.matches)
      if !matched.isEmpty {
        left.formUnion(matched)
        used.append(text)
      }
    }
    for text in patterns {
      let pattern = TensorPattern(text)
      let names = stored.tensors.lazy.map(\.name).filter(pattern.matches)
      if let needed = names.first(where: isNeeded(beside: extra)) {
        throw .ignoredIsNeeded(pattern: text, tensor: needed, path: path)
      }
      if names.isEmpty, !used.contains(text) { copy.leftOut.unmatched.append(text) }
    }
    guard !left.isEmpty else { return copy }
    copy.problems.removeAll { $0.superfluous.map(left.contains) ?? false }
    let names = extra.filter(left.contains)
    copy.ignored += names
    copy.leftOut.patterns = used
    let note = Self.note(leavingOut: names)
    copy.leftOut.note = note
    copy.notes.append(note)
    return copy
  }

  /// Forgets patterns that match nothing, but those that `isKept` names.
  package mutating func keepUnmatched(where isKept: (String) -> Bool) {
    leftOut.unmatched.removeAll { !isKept($0) }
  }

  /// Whether the model needs a stored tensor, by its name; `extra` are those that it does not.
  private func isNeeded(beside extra: [String]) -> (String) -> Bool {
    let own = Set(tensors.values.map(\.name)).union(pieces.values.map(\.tensor))
    let shown = Set(reader.tensors.map(\.name)), others = Set(extra).union(ignored)
    // Codes and scales are shown as one weight: those of a weight too many are not needed either.
    let modules = Set(
      extra.compactMap { name in
        name.lastIndex(of: ".").map { String(name[...$0]) }
      })
    return { name in
      if own.contains(name) { return true }
      guard !others.contains(name), !shown.contains(name) else { return false }
      return !modules.contains(where: name.hasPrefix)
        && !name.hasPrefix(DistributedParts.optimizerPrefix)
    }
  }

  private static func note(leavingOut names: [String]) -> String {
    let most = 3
    return "\(counted(names.count, "tensor")) left out by --ignore-tensors: "
      + names.prefix(most).joined(separator: ", ")
      + (names.count > most ? " and \(names.count - most) more." : ".")
  }

  /// The patterns by which something was left out when this checkpoint was made, or when it was opened.
  package var ignoredTensors: [String] {
    let steps = (try? Manifest(ifIn: path))?.steps ?? []
    return leftOut.patterns + steps.flatMap(\.ignoredTensors)
  }
}

extension ModelFile.StructureProblem {
  /// The name of a tensor that the model has no place for; nil for other problems.
  fileprivate var superfluous: String? {
    switch self {
    case .unexpected(let name, _, _), .adapter(let name, _): name
    default: nil
    }
  }
}
