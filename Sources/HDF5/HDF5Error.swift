import CHDF5Shim
public import Foundations

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

extension HDF5Error {
  /// The library's last complaint.
  static func last(_ operation: String, _ file: String) -> HDF5Error {
    var text = [CChar](repeating: 0, count: 256)
    ch5_reason(&text, text.count)
    let reason = String(
      decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return .failed(file: file, operation: operation, reason: reason)
  }
}
