/// A leaky integrate-and-fire neuron in discrete time (SpikingBrain report, equations 9 and 20).
///
/// Per step: u = decay · v + input; it fires when u >= threshold; then v is the reset potential
/// (hard reset), or u minus the threshold (soft reset), or u when it did not fire.
public struct IntegrateAndFire: Sendable, Equatable {
  /// V_th, more than 0.
  public var threshold: Float
  /// What is left of the potential after a step; 1 for a neuron that does not leak.
  public var decay: Float
  /// What firing does to the potential.
  public var reset: Reset
  /// The membrane potential v.
  public var potential: Float

  /// What firing does to the potential.
  public enum Reset: Sendable, Equatable {
    /// It becomes this potential, and what was above the threshold is lost.
    case hard(to: Float)
    /// The threshold is subtracted from it.
    case soft
  }

  /// A neuron at `potential`.
  public init(threshold: Float, decay: Float = 1, reset: Reset = .soft, potential: Float = 0) {
    self.threshold = threshold
    self.decay = decay
    self.reset = reset
    self.potential = potential
  }

  /// Takes one step; whether the neuron fired.
  public mutating func step(_ input: Float) -> Bool {
    potential = decay * potential + input
    guard potential >= threshold else { return false }
    switch reset {
    case .hard(let rest): potential = rest
    case .soft: potential -= threshold
    }
    return true
  }

  /// The spikes of `steps` steps that start with `inputs`; later steps have no input.
  public mutating func run(_ inputs: [Float], steps: Int) -> Int {
    (0..<max(0, steps)).count { step($0 < inputs.count ? inputs[$0] : 0) }
  }

  /// The count that a single step of the adaptive-threshold neuron gives in one go, by a neuron
  /// that fires at most once per step.
  ///
  /// It is x / V_th rounded to the nearest integer, with three conditions beside those the neuron
  /// is made with here (soft reset, no decay, started at V_th / 2, run on |x| with the sign
  /// carried): all of |x| arrives within the steps, the steps are at least the count, and x is no
  /// tie, which the neuron rounds away from zero and `SpikeCounts` to even.
  public static func count(_ x: Float, threshold: Float, steps: Int) -> Int {
    var neuron = IntegrateAndFire(threshold: threshold, potential: threshold / 2)
    let spikes = neuron.run([x.magnitude], steps: steps)
    return x < 0 ? -spikes : spikes
  }
}
