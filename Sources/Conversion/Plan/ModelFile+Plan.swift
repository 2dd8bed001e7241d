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

  /// What the manifest of a derived checkpoint records of this one.
  package var summary: JSONObject {
    JSONObject([
      ("format", .string(reader.formatName)),
      ("model_type", .string(architecture.modelType)),
      (
        "files",
        .array(
          reader.files.map { file in
            [
              "name": .string(URL(fileURLWithPath: file).lastPathComponent),
              "bytes": .int(
                (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0),
            ]
          })
      ),
    ])
  }
}
