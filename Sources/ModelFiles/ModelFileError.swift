import Checkpoints
public import Foundations
public import TensorTypes

/// What is wrong with a checkpoint as a model.
public enum ModelFileError: ReportableError, Equatable {
  case structure(path: String, problem: ModelFile.StructureProblem, keys: [String], others: Int)
  case noTensor(path: String, address: TensorAddress)
  case noConfiguration(path: String)
  case configurationIsNoObject(file: String)
  case invalidJSON(file: String, reason: String)
  case ggufArchitecture(String, known: [String], file: String)
  case ggufKey(String, reason: String, file: String)
  case noChatTemplate(path: String)
  /// A pattern of tensors to be left out that matches one which the model needs.
  case ignoredIsNeeded(pattern: String, tensor: String, path: String)
  /// One that matches no tensor.
  case ignoredMatchesNothing(pattern: String, path: String)
  case tokenizer(file: String, reason: String)

  public var what: String {
    switch self {
    case .structure(_, let problem, let keys, let others):
      problem.text(hangingOn: keys)
        + (others > 0 ? " (and \(others) more problem\(others == 1 ? "" : "s"))" : "")
    case .noTensor(_, let address): "there is no tensor for \(address)"
    case .noConfiguration: "there is no config.json"
    case .configurationIsNoObject: "must hold a JSON object"
    case .invalidJSON(_, let reason): reason
    case .ggufArchitecture(let name, let known, _):
      "general.architecture \"\(name)\" is not supported (known: \(known.joined(separator: ", ")))"
    case .ggufKey(let key, let reason, _): "metadata key \(key): \(reason)"
    case .noChatTemplate: "the checkpoint has no chat template"
    case .ignoredIsNeeded(let pattern, let tensor, _):
      "--ignore-tensors \(pattern) matches tensor \(tensor), which the model needs"
    case .ignoredMatchesNothing(let pattern, _): "--ignore-tensors \(pattern) matches no tensor"
    case .tokenizer(_, let reason): "the tokenizer cannot be used: \(reason)"
    }
  }

  public var location: String? {
    switch self {
    case .structure(let path, _, _, _), .noTensor(let path, _), .noConfiguration(let path),
      .noChatTemplate(let path), .ignoredIsNeeded(_, _, let path),
      .ignoredMatchesNothing(_, let path):
      path
    case .configurationIsNoObject(let file), .invalidJSON(let file, _),
      .ggufArchitecture(_, _, let file), .ggufKey(_, _, let file), .tokenizer(let file, _):
      file
    }
  }

  public var advice: String? {
    switch self {
    case .noConfiguration: "put the model's config.json beside its tensors"
    case .noChatTemplate: "`generate` without --chat continues a prompt as plain text"
    case .structure(_, .adapter, _, _): CheckpointError.mergeAdvice
    case .structure(_, .unexpected, _, _):
      "`spikingbrain inspect` lists every problem; --ignore-tensors PATTERN leaves such tensors out"
    case .structure: "`spikingbrain inspect` lists every problem"
    case .ignoredMatchesNothing, .ignoredIsNeeded:
      "`spikingbrain inspect --tensors` lists the names; * stands for any text, ? for one character"
    default: nil
    }
  }
}

extension ModelFile.StructureProblem {
  /// The problem in one sentence.
  public var text: String {
    switch self {
    case .missing(let name, let shape): "tensor \(name) \(shape) is missing"
    case .unexpected(let name, let file, let nearest):
      "tensor \(name) in \(file) is not part of this model"
        + (nearest.map { "; did you mean \($0)?" } ?? "")
    case .adapter(let name, let file):
      "tensor \(name) in \(file) belongs to an adapter that is not merged into the weights"
    case .shape(let name, let expected, let got, let file):
      "tensor \(name) in \(file) has shape \(got), the configuration calls for \(expected)"
    case .type(let name, let type, nil, let file):
      "tensor \(name) in \(file) has type \(type.rawValue), which holds no weights"
    case .type(let name, let type, let expected?, let file):
      "tensor \(name) in \(file) has type \(type.rawValue), the configuration calls for "
        + expected.rawValue
    case .content(let name, let reason, let file): "tensor \(name) in \(file) \(reason)"
    case .repeated(let name, let other, let file):
      "tensors \(other) and \(name) in \(file) are the same part of the model"
    }
  }

  /// The same, with the keys of the configuration that it hangs on.
  public func text(hangingOn keys: [String]) -> String {
    guard !keys.isEmpty else { return text }
    return "\(text) (by \(keys.joined(separator: ", ")) in the configuration)"
  }
}
