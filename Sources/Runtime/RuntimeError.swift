public import TensorTypes

/// What can go wrong while a model runs.
public enum RuntimeError: ReportableError, Equatable {
  case tokenOutOfRange(Int, vocabulary: Int)
  case stateDoesNotFit(file: String, reason: String)

  public var what: String {
    switch self {
    case .tokenOutOfRange(let token, let vocabulary):
      "token \(token) is outside of the vocabulary (0 to \(vocabulary - 1))"
    case .stateDoesNotFit(_, let reason): "is not a state of this model: \(reason)"
    }
  }

  public var location: String? {
    if case .stateDoesNotFit(let file, _) = self { return file }
    return nil
  }
}
