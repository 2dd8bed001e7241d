import CHDF5Shim
public import Foundations

/// What went wrong with an HDF5 file.
public enum HDF5Error: ReportableError, Equatable {
  case failed(file: String, operation: String, reason: String)
  /// The process that read it ended before it answered.
  case ended(file: String, End)
  /// There is no process that reads.
  case noReader(file: String, program: String)

  /// How a process ended that read a file.
  public enum End: Sendable, Equatable {
    case crashed(signal: Int32)
    case tookLong
    case idle(seconds: Int)
  }

  public var what: String {
    switch self {
    case .failed(_, let operation, let reason): "\(operation): \(reason)"
    case .ended(_, .crashed(let signal)):
      "cannot be read as HDF5: libhdf5 crashed on it (signal \(signal))"
    case .ended(_, .tookLong):
      "cannot be read as HDF5: libhdf5 came to no end in the time that a file of its size may take"
    case .ended(_, .idle(let seconds)):
      "cannot be read as HDF5: libhdf5 did nothing for \(seconds) seconds"
    case .noReader(_, let program):
      "is an HDF5 file, which is read by the program spikingbrain of this version; \(program) is not it"
    }
  }

  public var location: String? {
    switch self {
    case .failed(let file, _, _), .ended(let file, _), .noReader(let file, _): file
    }
  }

  public var advice: String? {
    switch self {
    case .failed: nil
    case .ended: "the file is damaged: download or copy it again, or get it as safetensors"
    case .noReader:
      "put the program beside this one, or name it in the environment variable SPIKINGBRAIN_PROGRAM"
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
