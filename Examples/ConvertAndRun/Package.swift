// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "ConvertAndRun",
  // Elsewhere: .package(url: "…/spikingbrain", from: "0.2.0").
  dependencies: [.package(name: "spikingbrain", path: "../..")],
  targets: [
    .executableTarget(
      name: "ConvertAndRun",
      dependencies: [.product(name: "SpikingBrain", package: "spikingbrain")])
  ]
)
