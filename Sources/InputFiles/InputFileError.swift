public import Foundations
import Glibc

/// Why a file that a user named cannot be used.
public enum InputFileError: ReportableError, Equatable {
  case missing(file: String)
  case directory(file: String)
  case notRegular(file: String, type: String)
  case tooLarge(file: String, limit: Int)
  case notText(file: String, offset: Int, byte: UInt8, encoding: String?)
  case system(file: String, errno: Int32)

  public var what: String {
    switch self {
    case .missing: "no such file"
    case .directory: "is a directory, not a file"
    case .notRegular(_, let type): "is \(type), not a file"
    case .tooLarge(_, let limit): "is larger than \(ByteSize(limit))"
    case .notText(_, let offset, let byte, _):
      byte == 0
        ? "is not UTF-8 text: there is a NUL byte at offset \(offset)"
        : "is not UTF-8 text: byte 0x\(hex(byte)) at offset \(offset)"
    case .system(_, let code): "cannot be read: \(systemText(code))"
    }
  }

  public var location: String? {
    switch self {
    case .missing(let file), .directory(let file), .notRegular(let file, _),
      .tooLarge(let file, _), .notText(let file, _, _, _), .system(let file, _):
      file
    }
  }

  public var advice: String? {
    guard case .notText(let file, _, _, let encoding?) = self else { return nil }
    let command = "iconv -f \(encoding) -t UTF-8"
    return (file == InputFile.standardInput ? command : "\(command) \(file)")
      + ", if its encoding is \(encoding)"
  }

  private func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return digits.count < 2 ? "0" + digits : digits
  }
}
