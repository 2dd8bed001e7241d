import Architectures
public import Checkpoints
public import Foundations
public import TensorTypes

/// Why a checkpoint cannot be converted as asked.
public enum ConversionError: ReportableError, Equatable {
  case notASource(path: String, modelType: String)
  case layerOutOfRange(option: String, layer: Int, depth: Int)
  case layerTwice(Int)
  case tooManyLayers(asked: Int, available: Int)
  case notMeasured(option: String, count: Int)
  case tokenOutOfRange(option: String, token: Int, vocabulary: Int)
  case hasExperts
  case hasQuantizedWeights
  case nothingToUpcycle(depth: Int)
  case indivisible(size: Int, shared: Int, experts: Int)
  case cannotCarve(String)
  case neurons(layer: Int, reason: String)
  case routerTooFar(router: String, error: Double, tolerance: Double)
  case noName(String)
  case overflow(tensor: String, value: Float, type: ScalarType, index: String)
  case notFinite(tensor: String, value: Float, index: String, transform: TransformRecord?)
  case notEnoughDisk(path: String, needed: Int, free: Int)
  case unreadable(path: String)
  case otherInputs(path: String, differing: [String])
  case wrongSize(tensor: String, expected: Int, got: Int)

  /// Whether numbers of a tensor are wrong, not what was asked for.
  public var isNotFinite: Bool {
    switch self {
    case .overflow, .notFinite: true
    default: false
    }
  }

  /// The name of the setting that the model does not allow; nil when it is none alone.
  public var setting: String? {
    switch self {
    case .layerOutOfRange(let option, _, _), .notMeasured(let option, _),
      .tokenOutOfRange(let option, _, _):
      String(option.dropFirst(2))
    case .layerTwice, .tooManyLayers: "attention-layers"
    case .nothingToUpcycle: "dense-layers"
    case .indivisible, .cannotCarve: "carve"
    default: nil
    }
  }

  public var what: String {
    switch self {
    case .notASource(_, let modelType):
      "a checkpoint of type \(modelType) is already converted; convert takes Transformer models "
        + "(\(Architectures.all.filter { $0.isSource }.map { $0.modelType }.joined(separator: ", ")))"
    case .layerOutOfRange(let option, let layer, let depth):
      "layer \(layer) is out of range: the model has layers 0 to \(depth - 1)"
        + " (\(option))"
    case .layerTwice(let layer):
      "layer \(layer) is listed both as window attention and as full attention"
    case .tooManyLayers(let asked, let available):
      "auto:\(asked) asks for more window attention layers than there are: \(available) "
        + "(--attention-layers)"
    case .notMeasured(let option, let count):
      "auto:\(count) names no layers before they were measured (\(option))"
    case .tokenOutOfRange(let option, let token, let vocabulary):
      "token \(token) is out of range: the vocabulary has tokens 0 to \(vocabulary - 1) (\(option))"
    case .hasExperts: "the checkpoint has experts already; upcycle takes dense ones"
    case .hasQuantizedWeights:
      "the weights are integers already; give the checkpoint they were made from"
    case .nothingToUpcycle(let depth):
      "all \(depth) layers stay dense (--dense-layers): there is nothing to upcycle"
    case .indivisible(let size, let shared, let experts):
      if shared + experts > size {
        "the feed-forward parts have \(size) neurons, too few for a shared expert of \(shared) and "
          + "\(counted(experts, "routed one")) (--carve, --experts)"
      } else {
        "the \(size - shared) neurons besides the \(shared) shared ones do not divide into "
          + "\(experts) experts (--carve, --experts)"
      }
    case .cannotCarve(let part): "the model has \(part); carve it first and calibrate it then"
    case .neurons(let layer, let reason): "layer \(layer): \(reason)"
    case .routerTooFar(let router, let error, let tolerance):
      "the router \(router) changes the logits by \(error) of the largest, more than the "
        + "tolerance of \(tolerance) (--tolerance)"
    case .noName(let tensor): "there is no tensor for \(tensor)"
    case .overflow(let tensor, let value, let type, let index):
      "\(tensor) holds \(value) at \(index), which \(type.rawValue) cannot"
    case .notFinite(let tensor, let value, let index, let transform):
      "\(tensor)\(transform.map { " (\($0.text))" } ?? "") would hold \(value) at \(index), which nothing can be computed with"
    case .notEnoughDisk(_, let needed, let free):
      "\(ByteSize(needed)) are needed, \(ByteSize(free)) are free"
    case .unreadable: "cannot be read"
    case .otherInputs(_, let differing):
      "this process finds other inputs than the first one: \(differing.joined(separator: ", ")) "
        + "differ in content, size or time"
    case .wrongSize(let tensor, let expected, let got):
      "\(tensor) ends at byte \(got) of its file instead of \(expected); this is a bug"
    }
  }

  public var location: String? {
    switch self {
    case .notASource(let path, _), .notEnoughDisk(let path, _, _), .unreadable(let path),
      .otherInputs(let path, _):
      path
    default: nil
    }
  }

  public var advice: String? {
    switch self {
    case .overflow(_, _, let type, _):
      type == .float16 ? "use --dtype bfloat16 or float32" : "use --dtype float32"
    case .notFinite:
      "fetch the checkpoint again, or take one from before its training went wrong"
    case .routerTooFar: "a smaller --router random:STD, --router zero, or a larger --tolerance"
    case .otherInputs: "inputs and output belong on a file system that all machines share"
    case .indivisible(let size, let shared, let experts) where shared + experts <= size:
      "the nearest shared width that works is \(ConversionError.nearest(size, shared, experts))"
    case .notASource: "verify, logits, generate and evaluate take it as it is"
    default: nil
    }
  }

  /// The width of a shared expert nearest to `shared` that leaves a multiple of `experts`.
  private static func nearest(_ size: Int, _ shared: Int, _ experts: Int) -> Int {
    let over = ((shared - size) % experts + experts) % experts
    let below = shared - over
    return below < 1 || over > experts / 2 && below + experts < size
      ? below + experts : below
  }
}
