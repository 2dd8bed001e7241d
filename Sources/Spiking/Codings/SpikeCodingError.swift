public import Foundations

/// Why counts cannot be sent by a coding.
public enum SpikeCodingError: ReportableError, Equatable {
  case negative(count: Int32, channel: Int, coding: SpikeCoding)
  case steps(Int, needed: Int, coding: SpikeCoding)
  case tooLong(steps: Int, channels: Int, coding: SpikeCoding)

  public var what: String {
    switch self {
    case .negative(let count, let channel, let coding):
      "\(coding.rawValue) coding has no negative counts, channel \(channel) has \(count)"
    case .steps(let steps, let needed, let coding):
      "\(steps) steps of \(coding.rawValue) coding cannot send the counts, which need \(needed)"
    case .tooLong(let steps, let channels, let coding):
      "\(steps) steps of \(coding.rawValue) coding for \(channels) channels are more than "
        + "\(SpikeTrain.mostCells) cells"
    }
  }
}
