package import Architectures
package import Kernels
package import Runtime

/// Shows what one place of a running model reads, before it is spiked.
///
/// Not synchronised: a model shows one input after the other.
package final class SiteObserver: SpikingObserver, @unchecked Sendable {
  private let site: SpikingSite
  private let body: (FloatMatrix) -> Void

  /// An observer that calls `body` with what `site` reads.
  package init(_ site: SpikingSite, _ body: @escaping (FloatMatrix) -> Void) {
    self.site = site
    self.body = body
  }

  package func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?) {
    if site == self.site { body(input) }
  }
}
