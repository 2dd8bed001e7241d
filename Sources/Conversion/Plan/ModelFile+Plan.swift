import Architectures
import Checkpoints
import Foundation
import Foundations
import Hub
package import ModelFiles
package import StrictJSON
import Tokenization

extension ModelFile {
  /// The tokenizer and generation files, licences and notices that a checkpoint made from this one
  /// carries.
  package func companionFiles() throws -> [CheckpointPlan.CompanionFile] {
    switch tokenizer {
    case .files(let files):
      var companions = try Self.companions(files)
      if case .directory(let directory) = files { companions += Self.notices(in: directory) }
      return companions
    case .gguf(let metadata, let file):
      let chosen = GGUFTokenizer(metadata, file: file)
      var files = Self.notices(in: URL(fileURLWithPath: file).deletingLastPathComponent().path)
      switch try chosen.form() {
      case .beside(let beside, _): files += try Self.companions(beside)
      case .metadata(let document, _):
        files.append(.init(name: "tokenizer.json", content: .text(document.pretty)))
      case .none: break
      }
      for (name, document) in [
        ("tokenizer_config.json", try metadata.tokenizerConfigJSON()),
        ("generation_config.json", metadata.generationConfigJSON()),
      ] where !files.contains(where: { $0.name == name }) {
        files.append(.init(name: name, content: .text(document.pretty)))
      }
      return files
    }
  }

  /// What a user should know about the tokenizer of a checkpoint made from this one.
  package func tokenizerNotes() throws -> [String] {
    switch tokenizer {
    case .gguf(let metadata, let file):
      return try GGUFTokenizer(metadata, file: file).notes()
    case .files(let files):
      return Tokenizer.isPresent(in: files) ? Self.unreadable(files) : Self.missing(files.foreign)
    }
  }

  /// What is wrong with a tokenizer in a file of its own; those in JSON are copied as they are.
  private static func unreadable(_ files: TokenizerFiles) -> [String] {
    let name = Tokenizer.mainFile(of: files)
    if ["tokenizer.json", "vocab.json"].contains(name) { return [] }
    do {
      _ = try Tokenizer.load(files)
      return []
    } catch {
      return [
        "The tokenizer is carried along as \(name), but cannot be used: \(error.description)."
      ]
    }
  }

  private static func missing(_ foreign: [String]) -> [String] {
    if foreign.isEmpty { return ["The source has no tokenizer, so the result has none."] }
    return [
      "The tokenizer is carried along as \(foreign.joined(separator: ", ")), a form that this "
        + "program does not read: commands that need one want tokenizer.json beside it, which "
        + "AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers writes."
    ]
  }

  private static func companions(
    _ files: TokenizerFiles
  ) throws -> [CheckpointPlan.CompanionFile] {
    switch files {
    case .embedded(let embedded, _):
      for (name, _) in embedded where name.hasSuffix(".json") { _ = try files.json(name) }
      return embedded.map { .init(name: $0.name, content: .bytes($0.bytes)) }
    case .directory(let directory):
      return try TokenizerSource.fileNames.filter(files.contains).map { name in
        let path = "\(directory)/\(name)"
        SourceFiles.note(path)
        // A damaged tokenizer is found now, not after the result was copied somewhere else.
        if name.hasSuffix(".json") {
          _ = try JSONFile.object(path, limit: .tokenizer, bytes: TokenizationLimits.fileBytes)
        }
        return .init(name: name, content: .copy(of: path))
      }
    }
  }

  /// The licences and notices in `directory`: files of the source, no links out of it. What is passed
  /// over is told to `passedOver` with the reason.
  private static func notices(
    in directory: String, passedOver: (String) -> Void = { _ in }
  ) -> [CheckpointPlan.CompanionFile] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.filter(TokenizerSource.isNotice).sorted().compactMap {
      (name) -> CheckpointPlan.CompanionFile? in
      let path = directory + "/" + name
      guard FileStatus.contains(root(of: directory), path) else {
        passedOver("\(name) is a link out of the source, so it is not carried along.")
        return nil
      }
      guard let size = FileStatus.size(path) else { return nil }
      guard size <= TokenizerSource.mostNoticeBytes else {
        passedOver(
          "\(name) has \(ByteSize(size)), more than \(ByteSize(TokenizerSource.mostNoticeBytes)), so it "
            + "is not carried along.")
        return nil
      }
      SourceFiles.note(path)
      return .init(name: name, content: .copy(of: path))
    }
  }

  /// The directory that a source's files may be links into: a snapshot in a cache of the Hugging Face
  /// Hub links to `blobs` beside `snapshots`.
  private static func root(of directory: String) -> String {
    let place = URL(fileURLWithPath: directory).standardizedFileURL.deletingLastPathComponent()
    let repository = place.deletingLastPathComponent()
    let blobs = repository.appendingPathComponent("blobs").path
    return place.lastPathComponent == "snapshots" && FileManager.default.fileExists(atPath: blobs)
      ? repository.path : directory
  }

  /// What a user should know about licences and notices that are not carried along.
  package func noticeNotes() -> [String] {
    var notes: [String] = []
    switch tokenizer {
    case .files(.directory(let directory)):
      _ = Self.notices(in: directory) { notes.append($0) }
    case .gguf(_, let file):
      let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
      _ = Self.notices(in: directory) { notes.append($0) }
    default: break
    }
    return notes
  }

  /// What the manifest of a derived checkpoint records of this one: what tells it from others, and what
  /// it is called on the Hub where it lies in a cache of that.
  package var origin: JSONObject {
    var origin = summary
    if let reference = HubReference(cached: path) {
      origin[Self.hubKey] = .string(reference.text)
    }
    return origin
  }

  /// Whether a manifest's record of a source is about this checkpoint, wherever it lies.
  package func isRecorded(in source: JSONValue) -> Bool {
    var source = source.object ?? [:]
    source[Self.hubKey] = nil
    return source == summary
  }

  private static let hubKey = "hub"

  /// Enough to tell another model of the same structure from it without reading all of it.
  package var summary: JSONObject {
    var summary = JSONObject([
      ("format", .string(reader.formatName)),
      ("model_type", .string(architecture.modelType)),
      (
        "files",
        .array(
          reader.files.map { file in
            let (bytes, sample) = FileSample.of(file)
            return [
              "name": .string(URL(fileURLWithPath: file).lastPathComponent),
              "bytes": .int(bytes), "sample_sha256": .string(sample.hex),
            ]
          })
      ),
    ])
    if let manifest = try? SHA256.hashFile(path + "/" + Manifest.fileName) {
      summary["manifest_sha256"] = .string(manifest.digest.hex)
    }
    if let adapters { summary["adapter"] = .object(adapters.json) }
    return summary
  }
}
