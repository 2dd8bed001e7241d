import Foundation

@testable import Kernels

let groups: [(String, @MainActor () -> Void)] = [
  ("products", benchmarkProducts), ("precision", benchmarkPrecision), ("vectors", benchmarkVectors),
  ("tokens", benchmarkTokens),
  ("decoding", benchmarkDecoding), ("gla", benchmarkGatedLinearAttention),
  ("attention", benchmarkAttention), ("elementwise", benchmarkElementwise),
  ("int8-vectors", benchmarkInt8Vectors), ("int8-products", benchmarkInt8Products),
  ("events", benchmarkEvents), ("training", benchmarkAttentionTraining),
  ("threads", benchmarkThreads),
]
let wanted = CommandLine.arguments.dropFirst()
let unknown = wanted.filter { name in !groups.contains { $0.0 == name } }
guard unknown.isEmpty else {
  print(
    "unknown: \(unknown.joined(separator: " ")); groups: \(groups.map(\.0).joined(separator: " "))")
  exit(64)
}
print(
  "instruction set \(InstructionSet.current), \(Parallel.availableProcessors) processors,",
  "OpenBLAS for \(BLAS.core)")
for (name, run) in groups where wanted.isEmpty || wanted.contains(name) {
  run()
  // Groups set the thread count as they need it.
  Parallel.threadCount = Parallel.availableProcessors
}
exit(failed ? 1 : 0)
