import Kernels
import Runtime

/// A linear map fitted by a ridge regression towards what it was; the ridge is the one that errs
/// least on held-out tokens, and nothing changes when none helps.
struct RidgeFit {
  /// The map [targets, features].
  let weight: FloatMatrix
  /// The ridge chosen, relative to the diagonal of the Gram matrix; nil for the prior.
  let ridge: Double?
  /// Weighted squared error on the held-out tokens: of the prior, and of the map.
  let before: Double
  let after: Double

  /// Fits on the sums `training`, choosing among `ridges` by the sums `heldOut`.
  init(
    training: Gram, heldOut: Gram, prior: FloatMatrix,
    ridges: [Double] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
  ) {
    before = heldOut.squaredError(of: prior)
    var best = (error: before, weight: prior, ridge: Double?.none)
    for ridge in ridges {
      guard let weight = training.solution(ridge: ridge, towards: prior) else { continue }
      let error = heldOut.squaredError(of: weight)
      if error < best.error { best = (error, weight, ridge) }
    }
    (after, weight, ridge) = best
  }
}
