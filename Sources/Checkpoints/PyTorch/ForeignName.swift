/// What a Python name is that checkpoints may not use: it decides what the user is advised to do.
public enum ForeignName: Sendable, Equatable {
  /// An element type of PyTorch, or a storage of one, without a counterpart here.
  case type
  /// A plain value, as trainers keep them beside tensors.
  case value
  /// Something that reaches the system or runs code.
  case code
  /// Anything else: a class of some library.
  case other

  /// The kind of `module.name`.
  init(module: String, name: String) {
    let root = module.split(separator: ".").first.map(String.init) ?? module
    if module == "torch", ForeignName.types.contains(name) {
      self = .type
    } else if ForeignName.values.contains("\(module).\(name)") {
      self = .value
    } else if ForeignName.codeModules.contains(root) || module == "torch.hub" {
      self = .code
    } else {
      self = .other
    }
  }

  /// What a file is told to have that names `name` at byte `offset` of its pickle.
  func what(_ name: String, offset: Int) -> String {
    let place = "\(name) (byte \(offset) of its pickle)"
    switch self {
    case .type: return "holds \(place), an element type that is not read"
    case .value: return "holds \(place), a plain value that is not read"
    case .code, .other:
      return "names \(place), which is not among the few things a checkpoint may name: nothing "
        + "was run"
    }
  }

  /// What the user can do.
  var advice: String {
    switch self {
    case .type:
      "save the tensors in an element type of at least 16 bits, best as safetensors"
    case .value:
      "save the tensors alone, as state_dict() gives them, best as safetensors"
    case .code:
      "do not load this file with anything else; if it is yours, save its state_dict() alone"
    case .other:
      "if the file is yours, save its state_dict() alone, best as safetensors"
    }
  }

  private static let types = Set(
    [
      "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
      "float4_e2m1fn_x2", "complex32", "complex64", "complex128", "quint8", "qint8", "qint32",
      "quint4x2", "quint2x4", "uint16", "uint32", "uint64",
    ]
      + (1...7).flatMap { ["uint\($0)", "int\($0)", "bits\($0)"] }
      + [
        "ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4",
        "Float8_e4m3fn", "Float8_e5m2",
      ].map { "\($0)Storage" })

  private static let values = Set(
    ["builtins", "__builtin__"].flatMap { module in
      ["set", "frozenset", "complex", "slice", "bytearray", "range", "list", "dict", "tuple"].map {
        "\(module).\($0)"
      }
    }
      + ["decimal.Decimal", "fractions.Fraction", "uuid.UUID"]
      + ["defaultdict", "Counter", "deque"].map { "collections.\($0)" }
      + ["datetime", "date", "time", "timedelta", "timezone"].map { "datetime.\($0)" }
      + ["PurePosixPath", "PosixPath", "WindowsPath", "PureWindowsPath"].map { "pathlib.\($0)" })

  /// Modules of Python's library that reach the system or run code.
  private static let codeModules: Set<String> = [
    "builtins", "__builtin__", "os", "posix", "nt", "ntpath", "posixpath", "subprocess", "commands",
    "sys", "importlib", "imp", "runpy", "pty", "shutil", "socket", "ctypes", "cffi", "code",
    "codeop", "marshal", "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "types",
    "operator", "_operator", "functools", "inspect", "webbrowser", "urllib", "http", "requests",
    "ftplib", "smtplib", "tempfile", "io", "_io", "multiprocessing", "threading", "_thread",
    "asyncio", "concurrent", "pip", "setuptools", "distutils", "timeit", "trace", "pdb", "bdb",
    "cProfile", "profile", "zipimport", "pkgutil", "pydoc", "doctest", "site", "atexit",
  ]
}
