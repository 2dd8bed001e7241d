public import TensorTypes

/// What went wrong with an HDF5 file.
public enum HDF5Error: ReportableError, Equatable {
  case failed(file: String, operation: String, reason: String)

  public var what: String {
    switch self {
    case .failed(_, let operation, let reason): "\(operation): \(reason)"
    }
  }

  public var location: String? {
    switch self {
    case .failed(let file, _, _): file
    }
  }
}
