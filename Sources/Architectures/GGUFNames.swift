public import TensorTypes

/// The tensor names of GGUF files, the same for all our source architectures.
///
/// Source: the GGUF specification's standardised tensor names.
public enum GGUFNames {
  /// The table.
  public static let table = NameTable(
    [
      .init("token_embd.weight", .embedding),
      .init("output_norm.weight", .finalNorm),
      .init("output.weight", .head),
      .init("rope_freqs.weight", .ropeFactors),
      .init("blk.{layer}.attn_norm.weight", .mixerNorm),
      .init("blk.{layer}.attn_q_norm.weight", .queryNorm),
      .init("blk.{layer}.attn_k_norm.weight", .keyNorm),
      .init("blk.{layer}.ffn_norm.weight", .ffnNorm),
      .init("blk.{layer}.post_attention_norm.weight", .mixerPostNorm),
      .init("blk.{layer}.post_ffw_norm.weight", .ffnPostNorm),
      .init("blk.{layer}.ffn_gate_inp.weight", .router),
      .init("blk.{layer}.ffn_gate_exps.weight", ofAllExperts: [.ffnGate]),
      .init("blk.{layer}.ffn_up_exps.weight", ofAllExperts: [.ffnUp]),
      .init("blk.{layer}.ffn_down_exps.weight", ofAllExperts: [.ffnDown]),
    ]
      + HuggingFaceNames.projections(
        "blk.{layer}.",
        [
          ("attn_q", .query), ("attn_k", .key), ("attn_v", .value), ("attn_output", .output),
          ("ffn_gate", .ffnGate), ("ffn_up", .ffnUp), ("ffn_down", .ffnDown),
        ]))
}
