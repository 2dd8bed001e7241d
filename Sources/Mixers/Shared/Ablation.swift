/// A part of the model switched off, to measure what it is worth.
public enum Ablation: Sendable, Equatable {
  /// Linear layers forget every `every` tokens what they have read; 1 leaves them no memory of the
  /// text at all. Sinks before the text are not forgotten.
  case state(every: Int)
  /// Softmax attention layers contribute nothing; their feed-forward parts stay.
  case attention
  /// Linear attention contributes nothing, in the same way.
  case linear

  /// Parses `state`, `state:N`, `attention` or `linear`; nil for anything else.
  public init?(parsing text: String) {
    switch text {
    case "attention": self = .attention
    case "linear": self = .linear
    case "state": self = .state(every: 1)
    default:
      guard text.hasPrefix("state:"), let every = Int(text.dropFirst(6)), every > 0 else {
        return nil
      }
      self = .state(every: every)
    }
  }
}
