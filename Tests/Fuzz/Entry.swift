import Foundation
import Foundations

/// What libFuzzer calls with every input; the variable FUZZ_TARGET says which reader gets it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  do {
    try target(input)
  } catch let error as any ReportableError {
    // Wording an error is part of refusing.
    _ = error.description.printable
  } catch {
    fatalError("not an error that people can act on: \(error)")
  }
  return 0
}

private let target: @Sendable ([UInt8]) throws -> Void = {
  let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
  guard let target = Readers.targets[name] ?? Steps.targets[name] else {
    fatalError("FUZZ_TARGET is none of the targets: \(name)")
  }
  return target
}()
