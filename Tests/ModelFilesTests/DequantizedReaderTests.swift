import Architectures
import Checkpoints
import Foundation
import Foundations
import Kernels
import ModelFiles
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Quantised forms of other libraries that are read as float32: Tests/Fixtures/stored, which
/// Tests/Reference/stored/make_quantized.py writes with the digests of what they stand for.
struct DequantizedReaderTests {
  private static let fixtures = Repository.root + "/Tests/Fixtures/stored/"
  static let forms = [
    "gptq-4", "gptq-8", "gptq-2", "gptq-all-inputs", "gptq-reordered", "gptq-v2",
    "gptq-without-index", "awq", "fp8-block", "fp8-block-bf16", "fp8-tensor",
    "compressed-fp8-tensor", "compressed-fp8-channel", "bnb-nf4", "bnb-nf4-nested", "bnb-int8",
  ]

  @Test func `every fixture is read`() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.fixtures)
    #expect(Set(names) == Set(Self.forms + ["expected.json"]))
  }

  @Test(arguments: forms)
  func `weights are those of the library to the last bit`(_ form: String) throws {
    let text = try Files.text(Self.fixtures + "expected.json")
    let digests = try #require(try JSONParser.parse(text)[form]?.object).members
    let file = try ModelFile.open(Self.fixtures + form)
    try file.requireSound()
    #expect(file.ignored.isEmpty)
    #expect(file.tensors.count == digests.count)
    #expect(file.notes.contains { $0.hasSuffix("are read as float32.") })
    #expect(file.configuration.object["quantization_config"] == nil)
    for (address, tensor) in file.tensors {
      let floats = try file.view(address).floats
      let digest = floats.withUnsafeBytes { SHA256.hash($0).hex }
      let expected = digests.first { $0.key == tensor.name }?.value.string
      #expect(digest == expected, "\(tensor.name)")
    }
  }

  /// A copy of a fixture with a changed configuration and tensors left out or cut.
  private func changed(
    _ form: String, _ edit: (inout JSONObject) -> Void,
    tensors: (String, inout (type: String, shape: [Int], bytes: [UInt8])) -> Bool = { _, _ in true }
  ) throws -> (directory: TemporaryDirectory, error: (any ReportableError)?) {
    let directory = try TemporaryDirectory()
    let source = Self.fixtures + form
    var config = try #require(try JSONParser.parse(Files.text(source + "/config.json")).object)
    var quantization = try #require(config["quantization_config"]?.object)
    edit(&quantization)
    config["quantization_config"] = .object(quantization)
    try directory.write("m/config.json", JSONValue.object(config).pretty)
    let reader = try SafetensorsCheckpoint(path: source + "/model.safetensors")
    var header = JSONObject(), data: [UInt8] = []
    for stored in reader.tensors {
      var tensor = (
        type: stored.type.storedName, shape: stored.shape.dimensions,
        bytes: Array(try reader.view(stored.name).bytes)
      )
      guard tensors(stored.name, &tensor) else { continue }
      header[stored.name] = [
        "dtype": .string(tensor.type), "shape": .ints(tensor.shape),
        "data_offsets": .ints([data.count, data.count + tensor.bytes.count]),
      ]
      data += tensor.bytes
    }
    let text = Array(JSONValue.object(header).compact.utf8)
    let length = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) }
    try directory.write("m/model.safetensors", length + text + data)
    do {
      let file = try ModelFile.open(directory("m"))
      try file.requireSound()
      for address in file.tensors.keys { _ = try file.view(address) }
      return (directory, nil)
    } catch let error as any ReportableError {
      return (directory, error)
    }
  }

  @Test(
    arguments: [
      ("gptq-4", "bits", 3, "bits"), ("gptq-4", "checkpoint_format", "marlin", "checkpoint_format"),
      ("gptq-4", "group_size", 0, "group_size"),
      ("gptq-4", "dynamic", ["x": ["bits": 8]], "dynamic"),
      ("gptq-4", "quant_method", "hqq", "quant_method"), ("awq", "version", "gemv", "version"),
      ("awq", "zero_point", false, "zero_point"), ("awq", "bits", 8, "bits"),
      ("fp8-block", "weight_block_size", [0, 4], "weight_block_size"),
      ("fp8-block", "fmt", "e5m2", "fmt"),
      ("compressed-fp8-tensor", "kv_cache_scheme", ["num_bits": 8], "kv_cache_scheme"),
    ] as [(String, String, JSONValue, String)])
  func `what is not known is refused with its key`(
    _ form: String, _ key: String, _ value: JSONValue, _ words: String
  ) throws {
    let error = try changed(form) { $0[key] = value }.error
    #expect(
      error?.description.contains("quantization_config.\(words)") == true,
      "\(error?.description ?? "")")
  }

  private static let base = "model.layers.0.mlp.up_proj."

  @Test(arguments: [
    ("gptq-4", "scales"), ("gptq-4", "qzeros"), ("awq", "scales"),
    ("fp8-block", "weight_scale_inv"), ("bnb-nf4", "weight.absmax"),
    ("bnb-nf4", "weight.quant_map"),
    ("bnb-nf4-nested", "weight.nested_absmax"),
  ])
  func `missing and cut parts are named`(_ form: String, _ part: String) throws {
    let missing = try changed(form) { _ in
    } tensors: { name, _ in
      name != Self.base + part
    }.error
    #expect(missing?.description.contains(Self.base + part.replacing("_inv", with: "")) == true)
    let cut = try changed(form) { _ in
    } tensors: { name, tensor in
      guard name == Self.base + part else { return true }
      let row = tensor.bytes.count / tensor.shape[0]
      tensor.shape[0] += 1
      tensor.bytes += tensor.bytes.suffix(row)
      return true
    }.error
    #expect(cut?.description.contains(Self.base + part) == true)
  }

  @Test func `a group that is not there is refused`() throws {
    let error = try changed("gptq-reordered") { _ in
    } tensors: { name, tensor in
      if name == Self.base + "g_idx" { tensor.bytes.replaceSubrange(4..<8, with: [1, 0, 0, 0x80]) }
      return true
    }.error
    #expect(error?.description.contains("puts input 1 into group") == true)
  }

  @Test(arguments: [
    "{", "{}", #"{"shape":[1,2],"blocksize":0}"#, #"{"shape":[99,2],"blocksize":64}"#,
  ])
  func `a state of bitsandbytes that says nothing is refused`(_ state: String) throws {
    let error = try changed("bnb-nf4") { _ in
    } tensors: { name, tensor in
      if name.hasPrefix(Self.base), name.hasSuffix("nf4") {
        tensor.bytes = Array(state.utf8)
        tensor.shape = [tensor.bytes.count]
      }
      return true
    }.error
    #expect(error?.description.contains(Self.base + "weight") == true)
  }
}
