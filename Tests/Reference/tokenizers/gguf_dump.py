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


def dump(path: str) -> dict:
    reader = GGUFReader(path)
    metadata = {}
    for name, key in KEYS.items():
        field = reader.get_field(f"tokenizer.ggml.{key}")
        if field is not None:
            metadata[name] = field.contents()
    others = {"architecture": "general.architecture", "chatTemplate": "tokenizer.chat_template"}
    for name, key in others.items():
        field = reader.get_field(key)
        if field is not None:
            metadata[name] = field.contents()
    return metadata


if __name__ == "__main__":
    json.dump(dump(sys.argv[1]), open(sys.argv[2], "w"))
