import Architectures
import Checkpoints
import TensorTypes

/// How the names of a checkpoint differ from those of its architecture by what stands at their start:
/// wrappers of models (`torch.compile`, data parallelism, trainers) put something before every name, and
/// a model saved without its head lacks the name of the part it was.
struct NamePrefix: Equatable {
  /// Prefixes that are tried; files have one, and hostile ones any number.
  static let mostCandidates = 16

  /// What names lack at their start.
  var dropped: String
  /// What they have there instead.
  var added: String
  /// Whether names stay as they are that would not begin with `dropped`: the head beside a language
  /// model that is a part of another.
  var onlyThere = false

  /// The prefix under which the most of what `model` needs is found in `reader`; nil when no other finds
  /// more than the names as they are.
  init?(of reader: any CheckpointReader, with model: ModelDescription, names: NameTable) {
    let required = model.requirements.map(\.address)
    func found(_ names: NameTable) -> Int {
      required.count { names.name(of: $0).flatMap(reader.tensor(named:)) != nil }
    }
    var most = found(names)
    guard most < required.count else { return nil }
    var best: NamePrefix?
    let candidates = NamePrefix.candidates(in: reader, names: names)
    for candidate in candidates + candidates.compactMap(\.inside) {
      let count = found(candidate.table(names))
      if count > most { (best, most) = (candidate, count) }
    }
    guard let best else { return nil }
    self = best
  }

  private init(dropped: String, added: String) {
    self.dropped = dropped
    self.added = added
  }

  /// The same for names below `dropped` alone; nil where that is all names.
  private var inside: NamePrefix? {
    guard !dropped.isEmpty else { return nil }
    var copy = self
    copy.onlyThere = true
    return copy
  }

  /// `names` for files with this prefix.
  func table(_ names: NameTable) -> NameTable {
    names.renamed(dropping: dropped, adding: added, onlyThere: onlyThere)
  }

  /// What to tell the user.
  var note: String {
    var words: [String] = []
    if onlyThere {
      return "The names of tensors have \"\(added)\" for \"\(dropped)\": read as that."
    }
    if !dropped.isEmpty { words.append("lack \"\(dropped)\"") }
    if !added.isEmpty { words.append("begin with \"\(added)\"") }
    return "The names of tensors \(words.joined(separator: " and ")): read without that difference."
  }

  /// What stands before the embedding's name, with and without its own first part.
  private static func candidates(
    in reader: any CheckpointReader, names: NameTable
  ) -> [NamePrefix] {
    guard let name = names.name(of: TensorAddress(.embedding)), let dot = name.firstIndex(of: ".")
    else { return [] }
    var candidates: [NamePrefix] = []
    for dropped in ["", String(name[...dot])] {
      let rest = name.dropFirst(dropped.count)
      for tensor in reader.tensors where tensor.name.hasSuffix(rest) {
        let added = String(tensor.name.dropLast(rest.count))
        guard added.isEmpty || added.hasSuffix(".") else { continue }
        candidates.append(NamePrefix(dropped: dropped, added: added))
        if candidates.count == mostCandidates { return candidates }
      }
    }
    return candidates
  }
}
