public import Architectures
import Checkpoints
import Foundation
import StrictJSON
import Tokenization

extension ModelFile {
  /// Token ids that end a generation: those of the configuration and of generation_config.json.
  public func endTokens() throws -> Set<Int> {
    let tokens = Set(description.specialTokens.end)
    return tokens.union(try generationConfiguration()?.tokens("eos_token_id") ?? [])
  }

  /// What generation_config.json says; nil where there is none.
  func generationConfiguration() throws -> Configuration? {
    let name = "generation_config.json", file = path + "/" + name
    var generation: JSONObject?
    if case .files(let files) = tokenizer, case .embedded = files {
      generation = try files.json(name)?.object
    } else if FileManager.default.fileExists(atPath: file) {
      generation = try JSONFile.object(file)
    }
    return generation.map { Configuration($0, file: file) }
  }

  /// What generation_config.json asks for that this program does not do by itself: sentences for the
  /// user.
  ///
  /// - Parameter isGreedy: whether the most likely token is always taken, so that what shapes the
  ///   choice among others matters only where it asks for such a choice.
  public func generationNotes(isGreedy: Bool) throws -> [String] {
    guard let configuration = try generationConfiguration() else { return [] }
    let object = configuration.object
    func stated(_ keys: [GenerationKey]) -> String? {
      let stated = keys.filter { !$0.isNeutral(object[$0.name]) }
      return stated.isEmpty
        ? nil
        : stated.map { "\($0.name) \(object[$0.name]?.compact.prefix(40) ?? "")" }
          .joined(separator: ", ")
    }
    var notes: [String] = []
    let isSampled = object["do_sample"]?.bool == true
    if isGreedy, isSampled {
      let how = stated(GenerationKey.sampling).map { " (\($0))" } ?? ""
      notes.append(
        "note: generation_config.json asks for sampling\(how): here the most likely token is taken, "
          + "unless --temperature and --top-p say otherwise.")
    }
    let shaping = isGreedy ? [] : GenerationKey.shaping
    if let text = stated(GenerationKey.scoring + shaping) {
      notes.append(
        "note: generation_config.json sets \(text): transformers applies that, this program does not."
      )
    }
    return notes + (try configuration.restNotes(GenerationKey.table)).map { "note: \($0)" }
  }
}

/// A key of generation_config.json that changes which token is taken.
///
/// Source: `GenerationConfig` of `transformers` 4 and 5.
private struct GenerationKey {
  let name: String
  /// The value at which it changes nothing, beside `null`, `false` and an empty list.
  let neutral: Double?

  init(_ name: String, _ neutral: Double? = nil) {
    self.name = name
    self.neutral = neutral
  }

  func isNeutral(_ value: JSONValue?) -> Bool {
    guard let value, !value.isNull, value != false, value.array?.isEmpty != true else {
      return true
    }
    return neutral != nil && value.double == neutral
  }

  /// What options of this program do instead.
  static let sampling = [GenerationKey("temperature", 1), GenerationKey("top_p", 1)] + shaping

  /// What shapes a choice at random, and is not done here.
  static let shaping = [
    GenerationKey("top_k", 0), GenerationKey("min_p", 0), GenerationKey("typical_p", 1),
    GenerationKey("top_h"), GenerationKey("epsilon_cutoff", 0), GenerationKey("eta_cutoff", 0),
  ]

  /// What changes the most likely token too.
  static let scoring = [
    GenerationKey("repetition_penalty", 1), GenerationKey("encoder_repetition_penalty", 1),
    GenerationKey("no_repeat_ngram_size", 0), GenerationKey("encoder_no_repeat_ngram_size", 0),
    GenerationKey("num_beams", 1), GenerationKey("min_length", 0),
    GenerationKey("min_new_tokens", 0),
    GenerationKey("guidance_scale", 1), GenerationKey("penalty_alpha", 0),
    GenerationKey("bad_words_ids"), GenerationKey("suppress_tokens"),
    GenerationKey("begin_suppress_tokens"), GenerationKey("forced_bos_token_id"),
    GenerationKey("forced_eos_token_id"), GenerationKey("sequence_bias"),
    GenerationKey("exponential_decay_length_penalty"), GenerationKey("stop_strings"),
    GenerationKey("stop_words_ids"),
    GenerationKey("watermarking_config"), GenerationKey("constraints"),
    GenerationKey("force_words_ids"), GenerationKey("dola_layers"), GenerationKey("token_healing"),
  ]

  /// Lengths, what a call returns, how caches and drafts are kept, what only follows other keys, and
  /// where the file comes from.
  private static let harmless: Set = [
    "max_length", "max_new_tokens", "max_time", "early_stopping", "do_sample", "use_cache",
    "cache_implementation", "cache_config", "max_cache_len", "length_penalty", "num_beam_groups",
    "diversity_penalty", "renormalize_logits", "remove_invalid_values", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "output_logits",
    "return_dict_in_generate", "return_legacy_cache", "pad_token_id", "bos_token_id",
    "eos_token_id",
    "decoder_start_token_id", "is_assistant", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "assistant_confidence_threshold", "prompt_lookup_num_tokens",
    "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind", "target_lookbehind",
    "assistant_ensemble_weight", "speculation_type", "use_mtp", "compile_config",
    "disable_compile", "continuous_batching_config", "low_memory", "prefill_chunk_size",
    "transformers_version", "_from_model_config", "_commit_hash", "generation_kwargs",
    "chat_format", "trust_remote_code", "user_token_id", "assistant_token_id", "max_window_size",
  ]

  /// All of them: what is left over is not known.
  static let table = KeyTable(
    harmless: [
      "told above": Set((sampling + scoring).map(\.name)), "changes no choice": harmless,
    ], decisive: [:])
}
