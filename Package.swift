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
  Module(name: "Foundations", imports: []),
  Module(name: "TensorTypes", imports: []),
  Module(name: "StrictJSON", imports: ["Foundations"]),
  Module(name: "InputFiles", imports: ["Foundations"]),
  Module(
    name: "HDF5", imports: ["Foundations", "TensorTypes", "CHDF5", "CHDF5Shim"], usesModels: true),
  Module(name: "Communication", imports: ["Foundations", "CMPIShim"], usesModels: true),
  Module(
    name: "Checkpoints",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "HDF5", "CLibCrypto", "CLibDeflate",
      "CFileSystem",
    ],
    usesModels: true),
  Module(name: "Reporting", imports: ["Foundations"]),
  Module(name: "Tokenization", imports: ["Foundations", "StrictJSON", "CUtf8proc"]),
  Module(name: "ChatTemplates", imports: ["Foundations", "StrictJSON"]),
  Module(name: "Kernels", imports: ["Foundations", "TensorTypes", "CKernels", "COpenBLAS"]),
  Module(name: "Mixers", imports: ["Foundations", "TensorTypes", "Kernels"]),
  Module(
    name: "Architectures",
    imports: ["Foundations", "TensorTypes", "StrictJSON", "Kernels", "Mixers"], usesModels: true),
  Module(
    name: "Archives",
    imports: ["Foundations", "TensorTypes", "StrictJSON", "Checkpoints", "Kernels", "CZstd"],
    usesModels: true),
  Module(
    name: "ModelFiles",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "Checkpoints", "Kernels", "Mixers",
      "Architectures", "Tokenization",
      "ChatTemplates",
    ],
    usesModels: true),
  Module(
    name: "Hub", imports: ["Foundations", "StrictJSON", "Checkpoints", "ModelFiles"],
    usesModels: true),
  Module(
    name: "StepSettings", imports: ["Foundations", "TensorTypes", "Mixers", "Architectures"],
    usesModels: true
  ),
  Module(
    name: "Conversion",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "Communication", "Checkpoints", "Mixers",
      "Architectures",
      "Tokenization", "ModelFiles", "Hub", "StepSettings", "Kernels",
    ], usesModels: true),
  Module(
    name: "Runtime", imports: ["Foundations", "TensorTypes", "Mixers", "Architectures", "Kernels"],
    usesModels: true),
  Module(
    name: "Streams",
    imports: [
      "Foundations", "TensorTypes", "Communication", "Checkpoints", "Mixers", "Architectures",
      "Kernels",
      "Runtime",
    ],
    usesModels: true),
  Module(
    name: "Healing",
    imports: [
      "Foundations", "TensorTypes", "Communication", "Checkpoints", "Mixers", "Architectures",
      "StepSettings",
      "Kernels", "Runtime", "Streams",
    ],
    usesModels: true),
  Module(
    name: "Spiking",
    imports: [
      "Foundations", "TensorTypes", "HDF5", "Communication", "Mixers", "Architectures",
      "StepSettings",
      "Kernels", "Runtime",
    ], usesModels: true),
  Module(
    name: "Quantization",
    imports: [
      "Foundations", "TensorTypes", "Checkpoints", "Architectures", "StepSettings", "Kernels",
      "Runtime", "Streams",
    ], usesModels: true),
  Module(
    name: "Exports",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "Checkpoints", "Mixers", "Architectures",
      "Tokenization", "ModelFiles",
      "StepSettings", "Conversion", "Kernels", "CModelCode",
    ], usesModels: true),
  Module(
    name: "Verification",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "Communication", "Checkpoints", "Mixers",
      "Architectures",
      "ModelFiles", "Tokenization", "StepSettings", "Conversion", "Exports", "Runtime", "Kernels",
    ], usesModels: true),
  Module(
    name: "Pipeline",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "InputFiles", "Communication", "Checkpoints",
      "Mixers", "Architectures", "Tokenization", "ChatTemplates", "Archives", "ModelFiles", "Hub",
      "StepSettings",
      "Conversion", "Runtime", "Kernels", "Streams", "Healing", "Spiking", "Quantization",
      "Exports", "Verification", "Reporting",
      .product(name: "Yams", package: "Yams"),
    ], usesModels: true),
  // The public face: what the library product exports.
  Module(name: "SpikingBrain", imports: ["StepSettings", "Pipeline"], tested: false),
  Module(
    name: "Serving",
    imports: [
      "Foundations", "StrictJSON", "Checkpoints", "Architectures", "Tokenization", "ChatTemplates",
      "ModelFiles", "StepSettings", "Runtime", "Kernels", "Pipeline",
      .product(name: "Hummingbird", package: "hummingbird"),
      .product(name: "HTTPTypes", package: "swift-http-types"),
      .product(name: "Logging", package: "swift-log"),
      .product(name: "NIOCore", package: "swift-nio"),
      .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      .product(name: "UnixSignals", package: "swift-service-lifecycle"),
    ], usesModels: true),
  Module(
    name: "ModelReport",
    imports: [
      "Foundations", "TensorTypes", "StrictJSON", "Checkpoints", "Kernels", "Architectures",
      "Tokenization",
      "ModelFiles", "StepSettings", "Reporting", "Runtime", "Healing", "Spiking", "Verification",
      "Pipeline",
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

/// The definition of the commit; none where it is not told, or is no name of one.
let commit: [CSetting] =
  Context.environment["SPIKINGBRAIN_COMMIT"].map { commit in
    commit.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._+".contains($0)) }
      && !commit.isEmpty ? [.define("SPIKINGBRAIN_COMMIT", to: "\"\(commit)\"")] : []
  } ?? []

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
    // The HTTP server of `serve`; without the traits, which bring what it does not use.
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    // Of which Hummingbird's own types are made.
    .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
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
      // The commit, as `make` tells it: what the package manager knows of git it remembers for too long.
      .target(name: "CVersion", cSettings: commit),
      // Modelling code for transformers, embedded.
      .target(name: "CModelCode"),
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
          "Foundations", "StrictJSON", "InputFiles", "HDF5", "Communication", "Checkpoints",
          "StepSettings", "Pipeline", "ModelReport", "Serving", "CVersion",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swiftSettings),
      .testTarget(
        name: "CommandLineTests",
        dependencies: [
          "Foundations", "TensorTypes", "StrictJSON", "HDF5", "Checkpoints", "Mixers",
          "Architectures", "StepSettings", "Pipeline", "spikingbrain", "TestSupport",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swiftSettings),
      // Small models, planted faults, the program as a process; for test targets only.
      .target(
        name: "TestSupport",
        dependencies: [
          "Foundations", "TensorTypes", "StrictJSON", "Communication", "Checkpoints",
          "Architectures", "ModelFiles", "StepSettings", "Conversion", "Exports", "Kernels",
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

// Tests/Fuzz/run alone builds this: libFuzzer brings `main`, and a package with such flags cannot be
// depended on by its version.
if Context.environment["SPIKINGBRAIN_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "Foundations", "TensorTypes", "StrictJSON", "Checkpoints", "Tokenization",
        "ChatTemplates", "Archives", "ModelFiles", "Runtime", "Pipeline",
      ],
      path: "Tests/Fuzz", exclude: ["run"],
      swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]))
}

// For CI and Examples/run, which build the example with everything else; by itself it is a package of its own.
if Context.environment["SPIKINGBRAIN_EXAMPLES"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ConvertAndRun", dependencies: ["SpikingBrain"],
      path: "Examples/ConvertAndRun/Sources/ConvertAndRun"))
}
