extension BytePlanes {
  /// The planes of the little-endian elements in `bytes`: the specification of `split`.
  public func reference(_ bytes: [UInt8]) -> [UInt8] {
    guard self != .one else { return bytes }
    let count = bytes.count / rawValue
    var planes = [UInt8](repeating: 0, count: bytes.count)
    for element in 0..<count {
      let first = element * rawValue
      let top = UInt16(bytes[first + rawValue - 1]) << 8 | UInt16(bytes[first + rawValue - 2])
      let rotated = top << 1 | top >> 15
      planes[element] = UInt8(rotated >> 8)
      planes[count + element] = UInt8(rotated & 0xff)
      for plane in 2..<max(2, rawValue) {
        planes[plane * count + element] = bytes[first + rawValue - 1 - plane]
      }
    }
    return planes
  }
}
