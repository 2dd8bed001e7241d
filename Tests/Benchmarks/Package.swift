// swift-tools-version: 6.1
import PackageDescription

// Kernel benchmarks, apart from the main package so that nobody builds them by accident:
//   swift run -c release -Xswiftc -enable-testing --package-path Tests/Benchmarks KernelBenchmarks [group…]
let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "spikingbrain", path: "../..")],
  targets: [
    .executableTarget(
      name: "KernelBenchmarks",
      dependencies: [.product(name: "Kernels", package: "spikingbrain")],
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
