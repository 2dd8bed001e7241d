"""Writes the tokenizer metadata of a GGUF file as JSON, for the probe."""

import json
import sys

from gguf import GGUFReader

KEYS = {
    "model": "model", "pre": "pre", "tokens": "tokens", "scores": "scores",
    "tokenTypes": "token_type", "merges": "merges", "bosID": "bos_token_id",
    "eosID": "eos_token_id", "unknownID": "unknown_token_id", "paddingID": "padding_token_id",
    "eotID": "eot_token_id", "addsBOS": "add_bos_token", "addsEOS": "add_eos_token",
    "addsSpacePrefix": "add_space_prefix",
}


# Special tokens that leave the white space behind them alone, where the others take it: as the architecture says.
SPACELESS = {"phi3": ["<unk>", "<s>", "<|endoftext|>"]}


def dump(path: str) -> dict:
    reader = GGUFReader(path)
    metadata = {}
    for name, key in KEYS.items():
        field = reader.get_field(f"tokenizer.ggml.{key}")
        if field is not None:
            metadata[name] = field.contents()
    template = reader.get_field("tokenizer.chat_template")
    if template is not None:
        metadata["chatTemplate"] = template.contents()
    spaceless = SPACELESS.get(reader.get_field("general.architecture").contents())
    if spaceless is not None:
        metadata["spacelessTokens"] = spaceless
    return metadata


if __name__ == "__main__":
    json.dump(dump(sys.argv[1]), open(sys.argv[2], "w"))
