import TensorTypes

/// The Python names that a checkpoint may use. A pickle that names anything else is refused before
/// anything is made of it: nothing is ever looked up or called by name.
enum PickleGlobal: Equatable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case size
  /// `torch.FloatStorage` and the like; nil for `UntypedStorage`.
  case storage(ScalarType?)
  /// `torch.bfloat16` and the like.
  case type(ScalarType)
  /// A class whose instances are kept as their attributes.
  case object(PickleClass)
  /// Things that say nothing about tensors: devices, layouts, arguments of a training, numbers of numpy.
  case record

  /// The meaning of `module.name`; nil when it is not allowed.
  init?(module: String, name: String) {
    guard let known = PickleGlobal.known["\(module).\(name)"] else { return nil }
    self = known
  }

  private static let known: [String: PickleGlobal] = {
    var known: [String: PickleGlobal] = [
      "collections.OrderedDict": .orderedDictionary,
      "torch._utils._rebuild_tensor": .rebuildTensor,
      "torch._utils._rebuild_tensor_v2": .rebuildTensor,
      "torch._utils._rebuild_tensor_v3": .rebuildTensor,
      "torch._utils._rebuild_parameter": .rebuildParameter,
      "torch.Size": .size,
      "torch.storage.UntypedStorage": .storage(nil),
      "torch.device": .record,
      "torch.serialization._get_layout": .record,
      "_codecs.encode": .record,
      "numpy.dtype": .record,
      "numpy.ndarray": .record,
    ]
    for module in ["numpy.core", "numpy._core"] {
      for name in ["multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer"] {
        known["\(module).\(name)"] = .record
      }
    }
    let types: [(storage: String, name: String, type: ScalarType)] = [
      ("BFloat16", "bfloat16", .bfloat16), ("Half", "float16", .float16),
      ("Float", "float32", .float32), ("Double", "float64", .float64),
      ("Long", "int64", .int64), ("Int", "int32", .int32), ("Short", "int16", .int16),
      ("Char", "int8", .int8), ("Byte", "uint8", .uint8), ("Bool", "bool", .bool),
    ]
    for (name, kind) in PickleClass.names { known[name] = .object(kind) }
    for name in PickleClass.irrelevant { known[name] = .record }
    for type in types {
      known["torch.\(type.storage)Storage"] = .storage(type.type)
      known["torch.\(type.name)"] = .type(type.type)
    }
    return known
  }()
}
