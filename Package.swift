// swift-tools-version: 6.1
import PackageDescription

// Language mode 6 everywhere; the upcoming features make `any` visible, keep imports internal by
// default and make every file import what it uses.
let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// One row of the table below: a Swift target, what it may import, whether it has tests, and whether
/// these use the small models of Tests/TestSupport.
struct Module {
  var name: String
  var imports: [Target.Dependency]
  var tested = true
  var usesModels = false
}

// The arrows point one way: a row may import only rows above it.
let modules: [Module] = [
  Module(name: "TensorTypes", imports: []),
  Module(name: "StrictJSON", imports: ["TensorTypes"]),
  Module(name: "InputFiles", imports: ["TensorTypes"]),
  Module(name: "HDF5", imports: ["TensorTypes", "CHDF5", "CHDF5Shim"], usesModels: true),
  Module(name: "Communication", imports: ["TensorTypes", "CMPIShim"], usesModels: true),
  Module(
    name: "Checkpoints",
    imports: ["TensorTypes", "StrictJSON", "HDF5", "CLibCrypto", "CLibDeflate", "CFileSystem"],
    usesModels: true),
  Module(name: "Reporting", imports: ["TensorTypes"]),
  Module(name: "Tokenization", imports: ["TensorTypes", "StrictJSON", "CUtf8proc"]),
  Module(name: "Kernels", imports: ["TensorTypes", "CKernels", "COpenBLAS"]),
  Module(name: "Mixers", imports: ["TensorTypes", "Kernels"]),
  Module(
    name: "Architectures", imports: ["TensorTypes", "StrictJSON", "Kernels", "Mixers"],
    usesModels: true),
  Module(
    name: "Archives", imports: ["TensorTypes", "StrictJSON", "Checkpoints", "Kernels", "CZstd"],
    usesModels: true),
  Module(
    name: "ModelFiles",
    imports: [
      "TensorTypes", "StrictJSON", "Checkpoints", "Architectures", "Mixers", "Tokenization",
    ],
    usesModels: true),
  Module(name: "StepSettings", imports: ["TensorTypes", "Architectures"], usesModels: true),
  Module(
    name: "Conversion",
    imports: [
      "TensorTypes", "StrictJSON", "Communication", "Checkpoints", "Architectures", "Mixers",
      "ModelFiles",
      "StepSettings", "Kernels",
    ], usesModels: true),
  Module(
    name: "Runtime", imports: ["TensorTypes", "Mixers", "Architectures", "Kernels"],
    usesModels: true),
  Module(
    name: "Streams",
    imports: [
      "TensorTypes", "Communication", "Checkpoints", "Architectures", "Mixers", "Kernels",
      "Runtime",
    ],
    usesModels: true),
  Module(
    name: "Healing",
    imports: [
      "TensorTypes", "Communication", "Checkpoints", "Architectures", "Mixers", "StepSettings",
      "Kernels",
      "Runtime", "Streams",
    ],
    usesModels: true),
  Module(
    name: "Spiking",
    imports: [
      "TensorTypes", "HDF5", "Communication", "Architectures", "Mixers", "StepSettings", "Kernels",
      "Runtime",
    ], usesModels: true),
  Module(
    name: "Quantization",
    imports: [
      "TensorTypes", "Checkpoints", "Architectures", "Mixers", "StepSettings", "Kernels", "Runtime",
      "Streams",
    ], usesModels: true),
  Module(
    name: "Exports",
    imports: [
      "TensorTypes", "StrictJSON", "Checkpoints", "Architectures", "Mixers", "ModelFiles",
      "StepSettings",
      "Conversion", "Kernels",
    ], usesModels: true),
  Module(
    name: "Verification",
    imports: [
      "TensorTypes", "StrictJSON", "Communication", "Checkpoints", "Architectures", "Mixers",
      "ModelFiles",
      "Tokenization", "StepSettings", "Conversion", "Exports", "Runtime", "Kernels",
    ], usesModels: true),
  Module(
    name: "Pipeline",
    imports: [
      "TensorTypes", "StrictJSON", "InputFiles", "Communication", "Checkpoints", "Architectures",
      "Tokenization", "Archives", "ModelFiles", "StepSettings", "Conversion", "Runtime", "Kernels",
      "Streams", "Healing", "Spiking", "Quantization", "Exports", "Verification",
      .product(name: "Yams", package: "Yams"),
    ], usesModels: true),
  // The public face: what the library product exports.
  Module(name: "SpikingBrain", imports: ["StepSettings", "Pipeline"], tested: false),
  Module(
    name: "ModelReport",
    imports: [
      "TensorTypes", "StrictJSON", "Checkpoints", "Architectures", "Mixers", "Tokenization",
      "ModelFiles",
      "StepSettings", "Reporting", "Runtime", "Healing", "Spiking", "Verification", "Pipeline",
    ], tested: false),
]

let systemLibraries: [Target] = [
  .systemLibrary(
    name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
  .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
  .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
  .systemLibrary(
    name: "CLibDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
  // Without pkg-config, whose flags for it the package manager refuses with a warning.
  .systemLibrary(name: "CUtf8proc", providers: [.apt(["libutf8proc-dev"])]),
  // Of the trait MPI only.
  .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
]

let package = Package(
  name: "spikingbrain",
  products: [
    .executable(name: "spikingbrain", targets: ["spikingbrain"]),
    .library(name: "SpikingBrain", targets: ["SpikingBrain"]),
    // For Tests/Benchmarks, a package of its own.
    .library(name: "Kernels", targets: ["Kernels", "TensorTypes"]),
  ],
  traits: [
    .trait(name: "MPI", description: "Runs past one machine, with Open MPI: make build-mpi.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: systemLibraries
    + [
      // SIMD kernels with run-time dispatch. No flags of its own: a package with unsafe ones cannot
      // be depended on by its version.
      .target(name: "CKernels"),
      // OpenBLAS, loaded when it is first used.
      .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
      // Linux calls that Swift's Glibc module does not export.
      .target(name: "CFileSystem"),
      // Few functions of MPI, which do nothing without the trait.
      .target(
        name: "CMPIShim", dependencies: [.target(name: "CMPI", condition: .when(traits: ["MPI"]))],
        cSettings: [.define("SPIKINGBRAIN_MPI", .when(traits: ["MPI"]))]),
      // Constants that HDF5 defines by macros, and its zstd filter.
      .target(
        name: "CHDF5Shim", dependencies: ["CHDF5", "CZstd"],
        linkerSettings: [.linkedLibrary("z")]),
      .executableTarget(
        name: "spikingbrain",
        dependencies: [
          "TensorTypes", "StrictJSON", "InputFiles", "Communication", "Checkpoints", "StepSettings",
          "Pipeline", "ModelReport",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swiftSettings),
      .testTarget(
        name: "CommandLineTests",
        dependencies: [
          "TensorTypes", "StrictJSON", "HDF5", "Checkpoints", "Architectures", "Mixers",
          "StepSettings",
          "spikingbrain", "TestSupport",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swiftSettings),
      // Small models, planted faults, the program as a process; for test targets only.
      .target(
        name: "TestSupport",
        dependencies: [
          "TensorTypes", "StrictJSON", "Communication", "Checkpoints", "Architectures",
          "ModelFiles", "StepSettings", "Conversion", "Exports", "Kernels",
        ],
        path: "Tests/TestSupport", swiftSettings: swiftSettings),
    ]
    + modules.map {
      .target(name: $0.name, dependencies: $0.imports, swiftSettings: swiftSettings)
    }
    + modules.filter(\.tested).map {
      .testTarget(
        name: "\($0.name)Tests",
        dependencies: [.target(name: $0.name)] + $0.imports
          + ($0.usesModels ? ["TestSupport"] : []),
        swiftSettings: swiftSettings)
    },
  swiftLanguageModes: [.v6]
)
