/// The numbers that Python's `random.Random(seed)` draws, for figures of other programs that hold some.
///
/// Source: Matsumoto, Nishimura, "Mersenne Twister" (1998), MT19937 with its `init_by_array`.
public struct PythonRandom: Sendable {
  private var state: [UInt32]
  private var position: Int

  private static let size = 624
  private static let middle = 397

  /// The generator that `random.Random(seed)` is.
  public init(seed: UInt32) {
    state = [UInt32](repeating: 0, count: Self.size)
    position = Self.size
    state[0] = 19_650_218
    for i in 1..<Self.size { state[i] = 1_812_433_253 &* mixed(i - 1) &+ UInt32(i) }
    var i = 1
    // The key is the seed alone, so its index is always 0.
    for _ in 0..<Self.size {
      state[i] = (state[i] ^ mixed(i - 1) &* 1_664_525) &+ seed
      advance(&i)
    }
    for _ in 1..<Self.size {
      state[i] = (state[i] ^ mixed(i - 1) &* 1_566_083_941) &- UInt32(i)
      advance(&i)
    }
    state[0] = 0x8000_0000
  }

  private func mixed(_ i: Int) -> UInt32 { state[i] ^ state[i] >> 30 }

  private mutating func advance(_ i: inout Int) {
    i += 1
    if i < Self.size { return }
    state[0] = state[Self.size - 1]
    i = 1
  }

  private mutating func next() -> UInt32 {
    if position == Self.size { refill() }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= y << 7 & 0x9d2c_5680
    y ^= y << 15 & 0xefc6_0000
    return y ^ y >> 18
  }

  private mutating func refill() {
    state.withUnsafeMutableBufferPointer { state in
      for i in 0..<Self.size {
        let y = state[i] & 0x8000_0000 | state[(i + 1) % Self.size] & 0x7fff_ffff
        state[i] = state[(i + Self.middle) % Self.size] ^ y >> 1 ^ (y & 1) &* 0x9908_b0df
      }
    }
    position = 0
  }

  /// `random()`: a number in [0, 1) with 53 random bits.
  public mutating func unit() -> Double {
    let high = Double(next() >> 5), low = Double(next() >> 6)
    return (high * 0x1p26 + low) * 0x1p-53
  }
}
