import ChatTemplates
import Foundation
import Foundations
package import StrictJSON
package import Tokenization

/// The tokenizer of a GGUF file: that of the files beside it if they are of the same model, or else
/// what its metadata says.
///
/// The metadata only names the pattern that splits text. Where that name says nothing, the tensors
/// are none the worse: they can be converted, and what needs ids asks for the original's file.
package struct GGUFTokenizer {
  private let metadata: GGUFTokenizerMetadata
  private let file: String
  private let beside: TokenizerFiles

  /// Where the tokenizer is.
  package enum Form {
    /// The files beside.
    case beside(TokenizerFiles, Tokenizer)
    /// A `tokenizer.json` made of the metadata, and why files beside do not count, if there are.
    case metadata(JSONValue, passedOver: TokenizationError?)
    /// It cannot be known, and why.
    case none(TokenizationError)
  }

  package init(_ metadata: GGUFTokenizerMetadata, file: String) {
    self.metadata = metadata
    self.file = file
    beside = .directory(URL(fileURLWithPath: file).deletingLastPathComponent().relativePath)
  }

  /// Where the tokenizer is; throws when the metadata is damaged.
  package func form() throws(TokenizationError) -> Form {
    var problem: TokenizationError?
    if Tokenizer.isPresent(in: beside) {
      do throws(TokenizationError) {
        return .beside(beside, try besideTokenizer())
      } catch {
        problem = error
      }
    }
    do throws(TokenizationError) {
      return .metadata(try metadata.tokenizerJSON(), passedOver: problem)
    } catch {
      switch error {
      case .unknownModel, .unknownPreTokenizer, .missingMetadata: return .none(problem ?? error)
      default: throw error
      }
    }
  }

  /// The tokenizer; throws when there is none that can be used.
  func load() throws(TokenizationError) -> Tokenizer {
    switch try form() {
    case .beside(_, let tokenizer): return tokenizer
    case .metadata(let document, _): return try Tokenizer(tokenizerJSON: document)
    case .none(let reason): throw reason
    }
  }

  /// Its `tokenizer_config.json`.
  func configuration() throws -> JSONValue? {
    if case .beside(let files, _) = try form() { return try files.json("tokenizer_config.json") }
    return try metadata.tokenizerConfigJSON()
  }

  /// The chat format; nil when there is none.
  func chatTemplate() throws -> ChatTemplate? {
    if case .beside(let files, _) = try form(), let template = try ChatTemplate(files) {
      return template
    }
    return try ChatTemplate(tokenizerConfig: try metadata.tokenizerConfigJSON(), origin: file)
  }

  /// What a user should know.
  package func notes() throws(TokenizationError) -> [String] {
    let name = URL(fileURLWithPath: file).lastPathComponent
    switch try form() {
    case .beside: return ["The tokenizer is that of the files beside \(name)."]
    case .metadata(_, let problem?):
      return ["The tokenizer is that of \(name), not of the files beside: \(problem.description)."]
    case .metadata where metadata.splitsByDefault:
      return [
        "\(name) does not name the tokenizer's pattern (\"default\"): llama.cpp's stand-in splits "
          + "text, and ids can differ from those the model was trained with. With the original's "
          + "tokenizer.json beside the file, that is used."
      ]
    case .metadata: return []
    case .none(let reason): return ["The result has no tokenizer: \(reason.description)."]
    }
  }

  /// The tokenizer in the files beside; throws when it is of another model.
  private func besideTokenizer() throws(TokenizationError) -> Tokenizer {
    let tokenizer = try Tokenizer.load(beside)
    if let id = metadata.firstDifference(from: tokenizer) {
      throw .otherTokenizer(
        file: "\(beside.path)/\(Tokenizer.mainFile(of: beside))", id: id,
        token: tokenizer.token(of: id) ?? "", expected: metadata.tokens[id])
    }
    return tokenizer
  }
}
