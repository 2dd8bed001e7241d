public import Foundations

/// Why a model cannot be healed.
public enum HealingError: ReportableError, Equatable {
  case nothingToHeal(path: String)
  case noWindow(path: String)
  case differentModels(String)
  case unsupported(String)
  case normBehindExperts
  case noExperts
  case memory(stage: String, needed: ByteSize, limit: ByteSize)
  case cannotCluster(String)
  case cannotCarve(String)
  case refitMemory(needed: ByteSize, limit: ByteSize)
  case diverged(layer: Int)
  case distillationDiverged(step: Int)

  public var what: String {
    switch self {
    case .nothingToHeal:
      "has neither linear layers nor windows shorter than a segment: there is nothing to heal, "
        + "unless --method none --distill-steps N trains its attention or experts (--distill-scope)"
    case .noWindow: "has no sliding window that could be changed"
    case .differentModels(let reason): "the teacher is not the source of this checkpoint: \(reason)"
    case .unsupported(let part):
      "the model has \(part), which healing does not know"
    case .normBehindExperts:
      "the model has norms behind each part, which the refit of experts towards a teacher does not "
        + "know"
    case .noExperts: "the model has no experts that could be trained"
    case .memory(let stage, let needed, let limit):
      "the \(stage) stage takes about \(needed), more than the \(limit) allowed"
    case .cannotCluster(let part):
      "the model has \(part), which the refit of experts does not know"
    case .cannotCarve(let part): "the model has \(part), which carving does not know"
    case .refitMemory(let needed, let limit):
      "the refit of experts takes about \(needed), more than the \(limit) allowed"
    case .diverged(let layer): "the refit of layer \(layer) gave numbers that are not finite"
    case .distillationDiverged(let step):
      "step \(step) of the second stage gave numbers that are not finite"
    }
  }

  public var location: String? {
    switch self {
    case .nothingToHeal(let path), .noWindow(let path): path
    default: nil
    }
  }

  public var advice: String? {
    switch self {
    case .unsupported: "heal before `calibrate`"
    case .normBehindExperts: "leave out --teacher"
    case .noExperts: "give --distill-scope linear or attention"
    case .cannotCluster: "use --router zero or random:STD"
    case .refitMemory: "leave out --teacher, or allow more with --max-ram"
    case .memory("first", let needed, _):
      "allow --max-ram \(needed.exact), or give a smaller --context, or --method ridge"
    case .memory(_, let needed, _):
      "train less (--distill-scope, --distill-steps), or allow --max-ram \(needed.exact)"
    case .diverged: "give a smaller --learning-rate"
    case .distillationDiverged: "give a smaller --distill-learning-rate"
    default: nil
    }
  }
}
