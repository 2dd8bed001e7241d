public import Foundations
public import TensorTypes

/// Why a checkpoint cannot be exported as asked.
public enum ExportError: ReportableError, Equatable {
  case unknownProfile(String, known: [String])
  case topology(profile: String)
  case onlyTensorRanks(profile: String)
  case tensorRanks(
    profile: String, asked: Int, possible: [Int], heads: Int, keyValueHeads: Int, path: String)
  case cannotHold(profile: String, what: [String], path: String)
  case inputs(tensor: String, count: Int, groupSize: Int)
  case granularity(profile: String, found: String, needed: WeightQuantization, path: String)
  case thresholds(profile: String, first: String, second: String, path: String)
  case type(profile: String, asked: String, needed: String)
  case notFinite(tensor: String)
  case scale(tensor: String, value: Float, type: ScalarType)
  case mixedTypes(parameter: String, types: [String])

  public var what: String {
    switch self {
    case .unknownProfile(let name, let known):
      "there is no export profile \"\(name)\" (known: \(known.joined(separator: ", ")))"
        + (NearestName.of(name, among: known).map { "; did you mean \($0)?" } ?? "")
    case .topology(let profile):
      "profile \(profile) is the same for any number of ranks; --tp, --pp and --ep are for others"
    case .onlyTensorRanks(let profile):
      "profile \(profile) checks --tp; --pp and --ep are for others"
    case .tensorRanks(let profile, let asked, let possible, let heads, let keyValueHeads, _):
      "profile \(profile): \(asked) ranks cannot share \(heads) query and \(keyValueHeads) "
        + "key/value heads; --tp can be \(possible.map(String.init).joined(separator: ", "))"
    case .cannotHold(let profile, let what, _):
      "profile \(profile) cannot hold \(what.joined(separator: ", "))"
    case .inputs(let tensor, let count, let groupSize):
      "\(tensor) has \(count) inputs, which groups of \(groupSize) do not divide"
    case .granularity(let profile, let found, let needed, _):
      "profile \(profile) needs weights in \(needed.text); these are in \(found)"
    case .thresholds(let profile, let first, let second, _):
      "profile \(profile) has one k for all projections; here \(first) and \(second)"
    case .type(let profile, let asked, let needed):
      "profile \(profile) is written in \(needed), not in \(asked) (--dtype)"
    case .notFinite(let tensor): "\(tensor) holds numbers that are not finite"
    case .scale(let tensor, let value, let type):
      "\(tensor) needs the scale \(value), which \(type.rawValue) cannot hold"
    case .mixedTypes(let parameter, let types):
      "\(parameter) is put together from tensors of different types: "
        + types.joined(separator: ", ")
    }
  }

  public var location: String? {
    switch self {
    case .cannotHold(_, _, let path), .granularity(_, _, _, let path),
      .thresholds(_, _, _, let path), .tensorRanks(_, _, _, _, _, let path):
      path
    default: nil
    }
  }

  public var advice: String? {
    switch self {
    case .granularity(_, _, let needed, _):
      "`calibrate --weights \(needed.codes.rawValue) --group-size \(needed.granularity.groupSize)`, "
        + "or export the checkpoint before it was calibrated"
    case .thresholds: "`calibrate` with one --k"
    case .scale(_, _, .q8_0), .scale(_, _, .q4_0):
      "scales of this format have 16 bits; export it by another profile"
    case .scale: "use --dtype bfloat16 or float32"
    case .mixedTypes: "choose one with --dtype"
    default: nil
    }
  }
}
