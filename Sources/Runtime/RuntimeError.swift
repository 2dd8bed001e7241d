public import Foundations

/// What can go wrong while a model runs.
public enum RuntimeError: ReportableError, Equatable {
  case tokenOutOfRange(Int, text: String?, vocabulary: Int)
  /// More tokens than the model's description holds for.
  case tooLong(Int, limit: Int)
  case stateDoesNotFit(file: String, reason: String)
  /// A weight that cannot be computed with: NaN, infinite, or too large to be squared in f32.
  case weight(String, value: Float, index: String)
  /// Finite weights whose products are not.
  case overflow(place: String)

  /// Whether the model's numbers are wrong, not what it was given.
  public var isNotFinite: Bool {
    switch self {
    case .weight, .overflow: true
    case .tokenOutOfRange, .tooLong, .stateDoesNotFit: false
    }
  }

  public var what: String {
    switch self {
    case .tokenOutOfRange(let token, let text, let vocabulary):
      "token \(token)\(text.map { " (\"\($0)\")" } ?? "") is outside of the vocabulary (0 to "
        + "\(vocabulary - 1)): the embedding has no row for it"
    case .tooLong(let tokens, let limit):
      "the text has \(tokens) tokens, and this model's rotary embeddings are known up to \(limit): "
        + "longer texts are turned otherwise (LongRoPE's long factors, dynamic scaling, queries scaled "
        + "by position), which is not computed"
    case .stateDoesNotFit(_, let reason): "is not a state of this model: \(reason)"
    case .weight(let tensor, let value, let index):
      "\(tensor) holds \(value) at \(index), which nothing can be computed with"
    case .overflow(let place): "the activations grow beyond what float32 holds \(place)"
    }
  }

  public var location: String? {
    if case .stateDoesNotFit(let file, _) = self { return file }
    return nil
  }

  public var advice: String? {
    switch self {
    case .tokenOutOfRange(_, let text, _):
      text == nil
        ? nil
        : "leave it out of the text, or resize the model's embedding: the tokenizer has an added "
          + "token that the weights know nothing of"
    case .tooLong:
      "use a shorter text or --context, or a conversion whose windows are at most as long"
    case .stateDoesNotFit: nil
    case .weight, .overflow:
      "fetch the checkpoint again, or take one from before its training went wrong"
    }
  }
}
