import TensorTypes
import Testing

@Suite struct NameTableTests {
  let table = NameTable([
    .init("model.embed_tokens.weight", .embedding),
    .init("model.layers.{layer}.self_attn.q_proj.weight", .query),
    .init("model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", .ffnUp),
    .init("model.layers.{layer}.mlp.shared_expert.up_proj.weight", .ffnUp, sharedExpert: true),
    .init("model.layers.{layer}.mlp.up_proj.weight", .ffnUp),
    .init(ignored: "model.layers.{layer}.self_attn.rotary_emb.inv_freq"),
  ])

  @Test(arguments: [
    ("model.embed_tokens.weight", TensorAddress(.embedding)),
    ("model.layers.12.self_attn.q_proj.weight", TensorAddress(.query, layer: 12)),
    (
      "model.layers.3.mlp.experts.15.up_proj.weight",
      TensorAddress(.ffnUp, layer: 3, expert: .routed(15))
    ),
    (
      "model.layers.3.mlp.shared_expert.up_proj.weight",
      TensorAddress(.ffnUp, layer: 3, expert: .shared)
    ),
    ("model.layers.3.mlp.up_proj.weight", TensorAddress(.ffnUp, layer: 3)),
  ])
  func parseAndPrintAreInverse(_ name: String, _ address: TensorAddress) {
    #expect(table.match(name) == .tensor(address))
    #expect(table.name(of: address) == name)
  }

  @Test(arguments: [
    "model.layers.01.self_attn.q_proj.weight", "model.layers.x.self_attn.q_proj.weight",
    "model.layers..self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight.extra",
    "xmodel.embed_tokens.weight", "model.layers.99999999999999999999.self_attn.q_proj.weight",
  ])
  func nearMissesAreUnknown(_ name: String) { #expect(table.match(name) == .unknown) }

  @Test func aRowMayNameSeveralTensorsInOne() {
    let fused = NameTable([
      .init("l.{layer}.qkv.weight", pieces: [.query, .key, .value]),
      .init("l.{layer}.o.weight", .output),
    ])
    let pieces = [TensorAddress.Role.query, .key, .value].map { TensorAddress($0, layer: 4) }
    #expect(fused.match("l.4.qkv.weight") == .pieces(pieces))
    for piece in pieces {
      #expect(fused.name(of: piece) == "l.4.qkv.weight")
      #expect(fused.neighbours(of: piece) == pieces)
    }
    let output = TensorAddress(.output, layer: 4)
    #expect(fused.neighbours(of: output) == [output])
    #expect(fused.match("l.4.o.weight").addresses == [output])
    #expect(fused.hasPieces && !table.hasPieces)
    #expect(fused.neighbours(of: TensorAddress(.head)) == [])
    #expect(fused.renamed(dropping: "l.", adding: "x.").match("x.4.qkv.weight") == .pieces(pieces))
  }

  @Test func ignoredNamesAreRecognised() {
    #expect(table.match("model.layers.0.self_attn.rotary_emb.inv_freq") == .ignored)
  }

  @Test func addressesWithoutANameHaveNone() {
    #expect(table.name(of: TensorAddress(.query, .bias, layer: 0)) == nil)
  }
}
