import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TensorTypes

/// How the metadata says that rotary frequencies are changed for long texts.
///
/// Source: llama.cpp, `llama_context`, `llm_build_rope_factors` and `ggml_rope_yarn_corr_dims`; what its
/// converter writes of a configuration.
extension GGUFConfiguration {
  private static let scaling = "rope.scaling."
  /// The tensors of LongRoPE's factors.
  private static let shortFactors = "rope_factors_short.weight"
  private static let longFactors = "rope_factors_long.weight"
  /// The architectures whose files may have them.
  private static let longRope: Set = ["llama"]

  /// The value of `rope_scaling`; nil when nothing is changed.
  func ropeScaling() throws -> JSONValue? {
    switch try ropeScalingType() {
    case "yarn": try yarn()
    case "longrope": try longRope()
    case let kind: try linear(isOff: kind == "none")
    }
  }

  /// The names of the file's tensors: those of LongRoPE's factors too, where they are used.
  func names() throws -> NameTable {
    guard try ropeScalingType() == "longrope" else { return GGUFNames.table }
    return GGUFNames.table.ignoring([Self.shortFactors, Self.longFactors])
  }

  private func ropeScalingType() throws -> String {
    let kind = value(Self.scaling + "type").map { $0.string ?? "" } ?? "linear"
    let known =
      ["none", "linear", "yarn"] + (Self.longRope.contains(architecture) ? ["longrope"] : [])
    guard known.contains(kind) else {
      throw refusal("type", "is \(kind); known: \(known.joined(separator: ", "))")
    }
    return kind
  }

  /// By a factor for all, by divisors for each, or both, as llama.cpp does. A factor without a type is
  /// one, and an older key holds it too.
  private func linear(isOff: Bool) throws -> JSONValue? {
    let stated = try number(Self.scaling + "factor")?.double
    let older = try number("rope.scale_linear")?.double
    let factor = isOff ? 0 : stated ?? older ?? 0
    if let divisors = try ropeDivisors() {
      let scaled = factor == 0 ? divisors : divisors.map { $0 * Float(factor) }
      return ["rope_type": "factors", "factors": .floats(scaled)]
    }
    if factor == 0 || factor == 1 { return nil }
    return ["rope_type": "linear", "factor": .number("\(Float(factor))")]
  }

  /// YaRN, with the keys of its ramp. llama.cpp reads the ramp's turns for some architectures only, and
  /// takes 32 and 1 for others: a converter writes what the source has.
  private func yarn() throws -> JSONValue {
    guard let factor = try positive("factor") else { throw refusal("factor", "is missing") }
    try expectNoDivisors(beside: "yarn")
    if let share = try number(Self.scaling + "yarn_ext_factor")?.double, share >= 0, share != 1 {
      throw refusal("yarn_ext_factor", "is \(share); only 1 is supported")
    }
    let below = try number(Self.scaling + "yarn_log_multiplier")?.double ?? 0
    func magnitude(_ scale: Double) -> Double {
      factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
    var whole = below == 0 ? magnitude(1) : magnitude(1) / magnitude(below)
    // llama.cpp computes it whatever the key says, the source's class takes what it says.
    if let stated = try number(Self.scaling + "yarn_attn_factor")?.double,
      abs(stated - whole) > 1e-5 * whole
    {
      throw refusal(
        "yarn_attn_factor",
        "is \(stated); llama.cpp computes \(Float(whole)), which alone is supported")
    }
    whole *= try attentionFactor()
    return .object(
      JSONObject([
        ("rope_type", "yarn"), ("factor", .number("\(Float(factor))")),
        ("original_max_position_embeddings", try originalLength().map { .int($0) } ?? .null),
        ("beta_fast", .double(try positive("yarn_beta_fast") ?? 32)),
        ("beta_slow", .double(try positive("yarn_beta_slow") ?? 1)),
        ("attention_factor", .double(whole)),
      ]))
  }

  /// LongRoPE: factors for texts up to the original length, and others for longer ones.
  private func longRope() throws -> JSONValue {
    try expectNoDivisors(beside: "longrope")
    _ = value(Self.scaling + "factor")
    guard let length = try originalLength() else {
      throw refusal("original_context_length", "is missing")
    }
    return .object(
      JSONObject([
        ("rope_type", "longrope"), ("original_max_position_embeddings", .int(length)),
        ("short_factor", .floats(try factors(Self.shortFactors))),
        ("long_factor", .floats(try factors(Self.longFactors))),
        ("attention_factor", .double(try attentionFactor())),
      ]))
  }

  /// What scores are multiplied by besides; llama.cpp takes an absent one for 1.
  private func attentionFactor() throws -> Double {
    try positive("attn_factor") ?? 1
  }

  private func originalLength() throws -> Int? {
    let name = "original_context_length"
    guard let length = try integer(Self.scaling + name), length != 0 else { return nil }
    guard length > 0 else { throw refusal(name, "is \(length), expected more than 0") }
    return length
  }

  /// A number of the scaling; nil when it is absent.
  private func positive(_ name: String) throws -> Double? {
    guard let number = try number(Self.scaling + name)?.double else { return nil }
    guard number > 0, number.isFinite else {
      throw refusal(name, "is \(number), expected more than 0")
    }
    return number
  }

  /// What is wrong with a key of the scaling.
  private func refusal(_ name: String, _ reason: String) -> ModelFileError {
    .ggufKey(key(Self.scaling + name), reason: reason, file: path)
  }

  private func expectNoDivisors(beside kind: String) throws(ModelFileError) {
    guard tensor(TensorAddress(.ropeFactors)) == nil else {
      throw refusal("type", "is \(kind), beside rope_freqs.weight; one is supported")
    }
  }

  /// The divisors in `rope_freqs.weight`, which Llama 3.1 files store instead of a key.
  private func ropeDivisors() throws -> [Float]? {
    try tensor(TensorAddress(.ropeFactors)).map { try factors($0.name) }
  }

  /// The numbers in the tensor `name`.
  private func factors(_ name: String) throws -> [Float] {
    guard let tensor = file.tensor(named: name) else {
      throw refusal("type", "needs the tensor \(name), which is missing")
    }
    guard tensor.type == .float32 else {
      throw ModelFileError.ggufKey(
        tensor.name, reason: "must be float32, is \(tensor.type.rawValue)", file: path)
    }
    let bytes = try file.view(tensor.name).bytes
    return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
  }
}

extension JSONValue {
  /// An array of numbers, each the shortest text of a float32.
  fileprivate static func floats(_ values: [Float]) -> JSONValue {
    .array(values.map { .number("\($0)") })
  }
}
