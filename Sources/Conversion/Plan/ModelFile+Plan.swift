import Architectures
import Checkpoints
import Foundation
package import ModelFiles
package import StrictJSON
import Tokenization

extension ModelFile {
  /// The tokenizer and generation files that a checkpoint made from this one carries.
  package func companionFiles() throws -> [CheckpointPlan.CompanionFile] {
    switch tokenizer {
    case .directory(let directory):
      return try TokenizerSource.fileNames.compactMap { name in
        let path = directory + "/" + name
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        // A damaged tokenizer is found now, not after the result was copied somewhere else.
        SourceFiles.note(path)
        if name.hasSuffix(".json") { _ = try JSONFile.object(path) }
        return .init(name: name, content: .copy(of: path))
      }
    case .embedded(let files):
      for file in files.files where file.name.hasSuffix(".json") { _ = try files.json(file.name) }
      return files.files.map { .init(name: $0.name, content: .bytes($0.bytes)) }
    case .gguf(let metadata, _):
      return [
        .init(name: "tokenizer.json", content: .text(try metadata.tokenizerJSON().pretty)),
        .init(
          name: "tokenizer_config.json", content: .text(try metadata.tokenizerConfigJSON().pretty)),
        .init(
          name: "generation_config.json", content: .text(metadata.generationConfigJSON().pretty)),
      ]
    }
  }

  /// What the manifest of a derived checkpoint records of this one: enough to tell another model of
  /// the same structure from it without reading all of it.
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
    return summary
  }
}
