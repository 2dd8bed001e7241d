import COpenBLAS
import Foundation
import Testing

@testable import Kernels

/// Which of OpenBLAS's kernels are asked for.
struct BLASTests {
  private static let processors: [(String, ob_features, String?)] = [
    ("Sapphire Rapids", ob_features(avx512: 1, avx2: 1, amd: 0), "SkylakeX"),
    ("Emerald Rapids", ob_features(avx512: 1, avx2: 1, amd: 0), "SkylakeX"),
    ("Granite Rapids", ob_features(avx512: 1, avx2: 1, amd: 0), "SkylakeX"),
    ("Skylake-X", ob_features(avx512: 1, avx2: 1, amd: 0), "SkylakeX"),
    ("Knights Landing, without BW, DQ and VL", ob_features(avx512: 0, avx2: 1, amd: 0), "Haswell"),
    ("Haswell", ob_features(avx512: 0, avx2: 1, amd: 0), "Haswell"),
    ("Alder Lake", ob_features(avx512: 0, avx2: 1, amd: 0), "Haswell"),
    ("Zen 2", ob_features(avx512: 0, avx2: 1, amd: 1), "Zen"),
    ("Zen 3", ob_features(avx512: 0, avx2: 1, amd: 1), "Zen"),
    ("Zen 4", ob_features(avx512: 1, avx2: 1, amd: 1), "SkylakeX"),
    ("Zen 5", ob_features(avx512: 1, avx2: 1, amd: 1), "SkylakeX"),
    ("Sandy Bridge, or AVX2 that the system does not save", ob_features(), nil),
    ("a Prescott", ob_features(), nil),
    ("a Bulldozer", ob_features(avx512: 0, avx2: 0, amd: 1), nil),
  ]

  @Test func `the core follows from what the processor can do`() {
    for (name, features, core) in Self.processors {
      #expect(ob_core(features).map { String(cString: $0) } == core, "\(name)")
    }
  }

  /// No kernels are asked for that this processor cannot run, and the choice is made in time.
  @Test func `the library runs what was asked for`() {
    let best = ob_core(ob_detected()).map { String(cString: $0) }
    let asked = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] ?? best ?? BLAS.core
    #expect(BLAS.library.contains("OpenBLAS"))
    // A library for one processor has no choice, and one without AVX-512 takes the next best.
    guard BLAS.library.contains("DYNAMIC_ARCH") else { return }
    #expect(BLAS.core == asked || asked == best && ["Haswell", "Zen"].contains(BLAS.core))
  }
}
