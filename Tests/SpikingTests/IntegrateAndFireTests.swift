import Spiking
import Testing

/// The multi-step neuron against the rounding of a single step.
struct IntegrateAndFireTests {
  private static let threshold: Float = 0.75

  /// |x| / V_th rounded half up, with the sign of x.
  private func rounded(_ x: Float) -> Int {
    let count = Int((x.magnitude / Self.threshold + 0.5).rounded(.down))
    return x < 0 ? -count : count
  }

  /// The spikes of a neuron that is made right but for what `change` does to it.
  private func spikes(
    _ inputs: [Float], steps: Int, change: (inout IntegrateAndFire) -> Void = { _ in }
  ) -> Int {
    var neuron = IntegrateAndFire(threshold: Self.threshold, potential: Self.threshold / 2)
    change(&neuron)
    return neuron.run(inputs, steps: steps)
  }

  @Test func `under the conditions it counts what one step rounds to`() {
    for index in -400...400 {
      // Sevenths and twelfths keep clear of ties.
      let x = Float(index) / 7 * Self.threshold + Self.threshold / 12
      let count = rounded(x)
      #expect(IntegrateAndFire.count(x, threshold: Self.threshold, steps: abs(count)) == count)
      #expect(IntegrateAndFire.count(x, threshold: Self.threshold, steps: abs(count) + 9) == count)
    }
  }

  @Test func `the input may arrive in pieces`() {
    let pieces: [Float] = [0.6, 0, 1.2, 0.45, 0.3, 0.9]
    let total = pieces.reduce(0, +)
    #expect(spikes(pieces, steps: 12) == rounded(total))
    #expect(spikes([total], steps: 12) == rounded(total))
  }

  @Test func `without soft reset the surplus is lost`() {
    #expect(spikes([4 * Self.threshold], steps: 9) == 4)
    #expect(spikes([4 * Self.threshold], steps: 9) { $0.reset = .hard(to: 0) } == 1)
  }

  @Test func `with decay potential is lost`() {
    #expect(spikes([4 * Self.threshold], steps: 9) { $0.decay = 0.5 } < 4)
  }

  @Test func `started at 0 it rounds down`() {
    #expect(spikes([1.7 * Self.threshold], steps: 9) == 2)
    #expect(spikes([1.7 * Self.threshold], steps: 9) { $0.potential = 0 } == 1)
  }

  @Test func `with fewer steps than the count it is cut off`() {
    #expect(IntegrateAndFire.count(5 * Self.threshold, threshold: Self.threshold, steps: 3) == 3)
  }

  @Test func `input that arrives too late is not counted`() {
    #expect(spikes([0, 0, 0, 2 * Self.threshold], steps: 3) == 0)
  }

  @Test func `without the sign carried negative input gives nothing`() {
    #expect(spikes([-4 * Self.threshold], steps: 9) == 0)
    #expect(IntegrateAndFire.count(-4 * Self.threshold, threshold: Self.threshold, steps: 9) == -4)
  }

  @Test func `a tie is rounded up, where the single step rounds it to even`() {
    let x = 2.5 * Self.threshold
    #expect(IntegrateAndFire.count(x, threshold: Self.threshold, steps: 9) == 3)
    #expect(Int((x / Self.threshold).rounded(.toNearestOrEven)) == 2)
  }
}
