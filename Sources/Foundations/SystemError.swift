import Glibc

/// What the system says of an error of its own, as in `errno`; for any thread.
public func systemText(_ code: Int32) -> String {
  var text = [CChar](repeating: 0, count: 256)
  strerror_r(code, &text, text.count)
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
