/// Calls `body` with an uninitialised buffer of `count` floats, aligned for SIMD.
func withScratch<Result>(
  _ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Result
) rethrows -> Result {
  let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
  defer { bytes.deallocate() }
  return try body(bytes.bindMemory(to: Float.self, capacity: max(count, 1)))
}
