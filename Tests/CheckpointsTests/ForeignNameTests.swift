import Foundations
import Testing

@testable import Checkpoints

/// Python names that a pickle may not use, and how much a pickle may do.
struct ForeignNameTests {
  private func error(_ pickle: [UInt8]) -> CheckpointError? {
    checkpointError { _ = try pickle.withUnsafeBytes { try PickleMachine.run($0, file: "f") } }
  }

  private func error(_ module: String, _ name: String) -> CheckpointError? {
    var writer = PickleWriter()
    writer.global(module, name)
    let error = error(writer.finish())
    #expect(error?.what.contains("\(module).\(name)") == true, "\(module).\(name)")
    return error
  }

  private static let warning = "do not load this file with anything else"

  @Test(arguments: [
    ("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"),
    ("__builtin__", "getattr"), ("importlib", "import_module"), ("runpy", "run_path"),
    ("torch.hub", "load"), ("pip._internal", "main"),
  ])
  func `what runs code is warned of`(_ module: String, _ name: String) {
    #expect(error(module, name)?.advice?.hasPrefix(Self.warning) == true)
  }

  @Test(arguments: [
    ("torch", "float8_e4m3fn", "element type"), ("torch", "QInt8Storage", "element type"),
    ("builtins", "set", "plain value"), ("__builtin__", "set", "plain value"),
    ("decimal", "Decimal", "plain value"), ("uuid", "UUID", "plain value"),
    ("collections", "defaultdict", "plain value"), ("omegaconf.dictconfig", "DictConfig", "yours"),
  ])
  func `what is harmless is not`(_ module: String, _ name: String, _ words: String) {
    let error = error(module, name)
    #expect(error?.description.contains(words) == true, "\(module).\(name)")
    #expect(error?.advice?.contains("do not load") == false)
  }

  @Test func `frozen sets are values like others`() {
    // A frozen set of one number, and the end.
    #expect(error([0x80, 4] + Array("(K\u{1}".utf8) + [0x91, UInt8(ascii: ".")]) == nil)
  }

  @Test func `instructions are bounded, whatever they do`() {
    let limit = PickleMachine.fileLimit
    for code in [UInt8(ascii: ")"), UInt8(ascii: "("), 0x94] {
      let start: [UInt8] = [0x80, 4, UInt8(ascii: "N")]
      let pickle = start + [UInt8](repeating: code, count: limit) + [UInt8(ascii: ".")]
      #expect(
        error(pickle)
          == .limitExceeded(
            file: "f", quantity: "number of pickle instructions", limit: limit,
            got: UInt64(limit) + 1))
    }
    #expect(MemoryLayout<PickleHeap.Value>.stride <= 24)
  }
}
