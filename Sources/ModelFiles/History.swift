import Architectures
public import Checkpoints
import Foundations
public import StrictJSON

/// How a checkpoint was made, as far as a manifest says so that is about it.
///
/// A manifest is taken at its word only where the files are those that it lists. Beside others it says
/// what the weights were before another program changed them: a training in PyTorch, say.
public struct History: Sendable {
  /// What is recorded of all steps, the last outermost, as the next manifest holds it; null for a source
  /// of which nothing is known.
  public let recipe: JSONValue
  /// How each tensor was made, by its name; empty unless the manifest is about these files.
  public let transforms: [String: TransformRecord]
  /// What the user should know of the manifest: one sentence each.
  let notes: [String]

  /// What the user should know, what another program changed included.
  public var news: [String] { notes + [change].compactMap(\.self) }

  /// The steps that made the checkpoint, the earliest first.
  public var steps: [StepRecord] { StepRecord.sequence(in: recipe) }

  /// What another program changed, and since when; nil when nothing was.
  public var change: String? { steps.last?.change }

  /// How much of the files is read to compare them with the manifest.
  public enum Reading: Sendable {
    /// All: what is written from the checkpoint will repeat what the manifest says.
    case whole
    /// Sizes, the places of tensors, and as much as takes about a second.
    case quick

    /// Bytes that are hashed at most.
    var bytes: Int {
      switch self {
      case .whole: .max
      case .quick: 1 << 30
      }
    }
  }
}

extension ModelFile {
  /// How the checkpoint was made. A manifest that was itself changed is an error: what it says would be
  /// repeated in those of all that is made from it.
  public func history(_ reading: History.Reading = .whole) throws(CheckpointError) -> History {
    if let manifest = try Manifest(ifIn: path) {
      let change = change(from: manifest)
      var changed: [String] = []
      if change == nil {
        changed = try manifest.changedFiles(in: path, hashing: reading.bytes)
        if changed.isEmpty {
          return History(recipe: manifest.recipe, transforms: manifest.transforms, notes: [])
        }
      }
      return outside(manifest, named: Manifest.fileName, change, changed)
    }
    let before = RelativeName.join(path, Manifest.formerName)
    if FileStatus.exists(before) {
      let manifest = try Manifest(path: before)
      return outside(manifest, named: Manifest.formerName, change(from: manifest) ?? .places, [])
    }
    let known =
      architecture.isSource ? JSONValue.null : .object(JSONObject(outside: [], after: nil))
    return History(recipe: known, transforms: [:], notes: [])
  }

  /// How tensors differ from those that a manifest lists.
  enum ManifestChange {
    /// They are the same ones, in other places or of other types.
    case places
    /// They are others: the manifest is not about this model.
    case model
  }

  /// How the tensors differ from those in `manifest`; nil when they do not.
  func change(from manifest: Manifest) -> ManifestChange? {
    let recorded = Dictionary(
      manifest.tensors.map { ($0.stored.name, $0.stored) }, uniquingKeysWith: { first, _ in first })
    var isMoved = recorded.count != stored.tensors.count
    for tensor in stored.tensors {
      guard let old = recorded[tensor.name], old.shape == tensor.shape else { return .model }
      if old.type != tensor.type || old.offset != tensor.offset || !tensor.file.hasSuffix(old.file)
      {
        isMoved = true
      }
    }
    return isMoved ? .places : nil
  }

  /// The history of a checkpoint that another program wrote after what `manifest` is about.
  private func outside(
    _ manifest: Manifest, named name: String, _ change: ManifestChange?, _ changed: [String]
  ) -> History {
    if case .model = change {
      return History(
        recipe: .object(JSONObject(outside: [], after: nil)), transforms: [:],
        notes: ["\(name) lists other tensors than the files hold: what it says is not used."])
    }
    let tensors = Set(manifest.tensors.map(\.stored.file))
    let isWeights = change != nil || changed.contains(where: tensors.contains)
    return History(
      recipe: .object(
        JSONObject(
          outside: isWeights ? [StepRecord.changedWeights] : changed, after: manifest.recipe)),
      transforms: [:], notes: [])
  }
}
