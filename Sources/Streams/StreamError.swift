public import Foundations
import Glibc

/// Why streams cannot be taken through the layers of a model.
public enum StreamError: ReportableError, Equatable {
  case file(String, operation: String, errno: Int32)
  case changed(path: String)
  case diverged(layer: Int)
  case tooFewTokens(Int, needed: Int)

  public var what: String {
    switch self {
    case .file(_, let operation, let code):
      "cannot \(operation) the file: \(systemText(code))"
    case .changed:
      "was changed or removed since an interrupted run wrote it, so that the run cannot go on"
    case .diverged(let layer): "layer \(layer) gave numbers that are not finite"
    case .tooFewTokens(let tokens, let needed):
      "there are \(counted(tokens, "token")) to use, at least \(needed) are needed"
    }
  }

  public var location: String? {
    switch self {
    case .file(let path, _, _), .changed(let path): path
    case .diverged, .tooFewTokens: nil
    }
  }

  public var advice: String? {
    switch self {
    case .file(_, _, ENOSPC), .file(_, _, EDQUOT):
      "free some space, then run the same command with --resume"
    case .changed: "use --force to start again from nothing"
    case .tooFewTokens: "give more --text or --tokens, or a smaller --context"
    default: nil
    }
  }
}
