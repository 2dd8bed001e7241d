import CKernels
import Foundation

/// Adam (Kingma and Ba 2014) with decoupled weight decay (Loshchilov and Hutter 2017) for one
/// parameter tensor: the moments of its gradient.
public final class Adam {
  /// What may change from step to step.
  public struct Settings: Sendable, Hashable {
    /// The step size.
    public var learningRate: Float
    /// How much of the old first moment a step keeps.
    public var beta1: Float
    /// How much of the old second moment a step keeps.
    public var beta2: Float
    /// Added to the root of the second moment.
    public var epsilon: Float
    /// The share of the distance to the prior that a step takes away, per unit of learning rate.
    public var weightDecay: Float

    /// Settings with the usual defaults.
    public init(
      learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
      weightDecay: Float = 0
    ) {
      self.learningRate = learningRate
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  /// The moments of the gradient after some steps: what a stopped training needs to go on.
  public struct Moments: Sendable {
    /// Steps taken.
    public var steps: Int
    /// Running means of the gradient and of its square [count].
    public var first: [Float]
    public var second: [Float]

    /// The moments after `steps` steps.
    public init(steps: Int, first: [Float], second: [Float]) {
      self.steps = steps
      self.first = first
      self.second = second
    }
  }

  /// Parameters in the tensor.
  public let count: Int
  /// Steps taken so far.
  public private(set) var steps = 0
  private var firstMoment: [Float]
  private var secondMoment: [Float]

  /// The state before the first step of a tensor of `count` parameters.
  public init(count: Int) {
    self.count = count
    firstMoment = [Float](repeating: 0, count: count)
    secondMoment = firstMoment
  }

  /// The state, to be kept and put back.
  public var moments: Moments {
    get { Moments(steps: steps, first: firstMoment, second: secondMoment) }
    set {
      precondition(newValue.first.count == count && newValue.second.count == count)
      steps = newValue.steps
      firstMoment = newValue.first
      secondMoment = newValue.second
    }
  }

  /// Takes one step of all elements of `parameters`, see below.
  public func step(
    _ parameters: FloatMatrix, gradient: FloatMatrix, gradientFactor: Float = 1, settings: Settings
  ) {
    parameters.requireSize(of: gradient)
    precondition(parameters.count == count)
    withExtendedLifetime((parameters, gradient)) {
      step(
        parameters.pointer, gradient: gradient.pointer, gradientFactor: gradientFactor,
        settings: settings)
    }
  }

  /// Takes one step: with g = gradientFactor · gradient,
  /// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g²,
  /// w -= learningRate (m' / (sqrt(v') + epsilon) + weightDecay (w - prior)), where m' and v' are
  /// m and v corrected for their start at zero.
  ///
  /// - Parameters:
  ///   - parameters: w [count], changed in place.
  ///   - gradient: [count].
  ///   - gradientFactor: for clipping, see `clipFactor`.
  ///   - prior: what weight decay pulls towards [count]; nil is zeros.
  func step(
    _ parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    gradientFactor: Float = 1, settings: Settings, prior: UnsafePointer<Float>? = nil
  ) {
    steps += 1
    // The powers in float64: 1 - beta2 is 0.001, so rounding beta2^steps in float32 would show.
    let first = 1 - pow(Double(settings.beta1), Double(steps))
    let second = 1 - pow(Double(settings.beta2), Double(steps))
    let constants = ck_adam_step(
      gradient_factor: gradientFactor, beta1: settings.beta1, beta2: settings.beta2,
      rate: Float(Double(settings.learningRate) / first), second_correction: Float(1 / second),
      epsilon: settings.epsilon, decay: settings.learningRate * settings.weightDecay)
    firstMoment.withUnsafeMutableBufferPointer { m in
      secondMoment.withUnsafeMutableBufferPointer { v in
        guard let m = m.baseAddress, let v = v.baseAddress else { return }
        Parallel.ranges(count, granularity: 64, minimum: 1 << 16) { range in
          let start = range.lowerBound
          withUnsafePointer(to: constants) {
            ck_adam(
              Execution.isa, $0, gradient + start, prior.map { $0 + start }, m + start, v + start,
              parameters + start, range.count)
          }
        }
      }
    }
  }

  /// The factor that brings gradients of this norm to at most `limit`: min(1, limit / norm).
  ///
  /// `sumOfSquares` is the sum of `Vector.sumOfSquares` over all tensors clipped together. NaN when
  /// it is not finite: the caller should not step then.
  public static func clipFactor(sumOfSquares: Double, limit: Double) -> Float {
    guard sumOfSquares.isFinite else { return .nan }
    return sumOfSquares > limit * limit ? Float(limit / sumOfSquares.squareRoot()) : 1
  }
}
