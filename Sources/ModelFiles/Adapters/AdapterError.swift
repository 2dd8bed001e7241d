public import Foundations
public import TensorTypes

/// Why an adapter cannot be merged.
public enum AdapterError: ReportableError, Equatable {
  case missing(path: String, file: String)
  case isModel(path: String)
  case kind(String, file: String)
  case setting(key: String, value: String, reason: String, file: String)
  case unknownModule(tensor: String, module: String, nearest: String?, file: String)
  case unknownTensor(String, file: String)
  case incomplete(module: String, missing: String, file: String)
  case shape(tensor: String, expected: Shape, got: Shape, file: String)
  case type(tensor: String, type: ScalarType, file: String)
  case rank(module: String, configured: Int, stored: Int, file: String)
  case noBias(module: String, file: String)
  case nothing(file: String)
  case model(path: String, reason: String)

  public var what: String {
    switch self {
    case .missing(_, let file): "there is no \(file), so it is no adapter of PEFT"
    case .isModel: "is a model, not an adapter"
    case .kind(let kind, _): "is an adapter of kind \(kind); LoRA is merged, no other kind"
    case .setting(let key, let value, let reason, _): "\"\(key)\": \(value) \(reason)"
    case .unknownModule(let tensor, let module, let nearest, _):
      "\(tensor) is for \(module), which the model has not"
        + (nearest.map { "; did you mean \($0)?" } ?? "")
    case .unknownTensor(let tensor, _): "tensor \(tensor) has no meaning in LoRA that is known here"
    case .incomplete(let module, let missing, _): "\(module) has no \(missing)"
    case .shape(let tensor, let expected, let got, _):
      "tensor \(tensor) has shape \(got), expected \(expected)"
    case .type(let tensor, let type, _):
      "tensor \(tensor) has type \(type.rawValue), which holds no weights"
    case .rank(let module, let configured, let stored, _):
      "\(module) has rank \(stored), adapter_config.json says \(configured)"
    case .noBias(let module, _): "\(module) gets a bias, and the model has none there"
    case .nothing: "holds no tensor"
    case .model(_, let reason): "no adapter can be merged: \(reason)"
    }
  }

  public var location: String? {
    switch self {
    case .missing(let path, _), .isModel(let path), .model(let path, _): path
    case .kind(_, let file), .setting(_, _, _, let file), .unknownModule(_, _, _, let file),
      .unknownTensor(_, let file), .incomplete(_, _, let file), .shape(_, _, _, let file),
      .type(_, _, let file), .rank(_, _, _, let file), .noBias(_, let file), .nothing(let file):
      file
    }
  }

  public var advice: String? {
    switch self {
    case .missing: "give the directory that PEFT's save_pretrained wrote"
    case .isModel: "give it as the checkpoint, without --lora"
    case .unknownModule, .shape:
      "is the checkpoint the model that the adapter was trained on?"
    case .kind, .setting, .unknownTensor, .noBias:
      "merge it in PEFT (merge_and_unload, save_pretrained), and give the result"
    case .model: "give the model in floating point that it was made from"
    default: nil
    }
  }
}
