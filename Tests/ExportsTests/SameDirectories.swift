import TestSupport
import Testing

/// Expects the directories `left` and `right` to hold the same model, byte for byte.
func expectSame(_ left: String, _ right: String, in directory: TemporaryDirectory) throws {
  for name in ["config.json", "model.safetensors"] {
    #expect(
      try Files.bytes(directory("\(left)/\(name)")) == Files.bytes(directory("\(right)/\(name)")),
      "\(name)")
  }
}
