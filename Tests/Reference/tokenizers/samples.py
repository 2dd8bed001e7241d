"""Texts that tokenizers are trained on and compared with."""

import random

CASES = {
    "empty": "",
    "english": "The river's bank wasn't steep; they'd WALK'D there 'til we'll have I'M done.",
    "chinese": "今天天气很好，我们去公园散步吧！标点「引号」与数字２０２４年。",
    "code": "def add(a, b):\n\treturn a+b  # 1e-5\n\nfor(int i=0;i<10;++i){x[i]->y|=~z;}\r\n",
    "emoji": "Family 👨‍👩‍👧‍👦, flag 🇫🇷, thumbs 👍🏽, heart ❤️ and ☃.",
    "combining": "cafe\u0301 vs caf\u00e9, A\u030a \u212b, n\u0303o\u0308, \u1100\u1161\u11a8 각",
    "digits": "3.14159 2024-12-31 1000000 007 ½ Ⅷ ² ٣٤٥ ४२",
    "spaces": "a  b   c    d\te\t\tf \u00a0g\u3000h\u2003 i   ",
    "newlines": "one\ntwo\r\nthree\rfour\n\n\nfive \n six\u2028seven\u0085eight\n",
    "leading": "   leading and trailing   ",
    "special": "<s>Hi<|endoftext|> <|im_start|>user\nHello<|im_end|> <tool_call> </s> <pad>",
    "arabic": "مرحبا بالعالم، كيف حالك اليوم؟ ١٢٣",
    "hindi": "नमस्ते दुनिया, आप कैसे हैं? क्षत्रिय",
    "thai": "สวัสดีชาวโลก น้ำใจงาม ๑๒๓",
    "mixed": "Ünïcödé Straße ſ'ſ it'ſ İstanbul ΑΒΓ Ωmega Жизнь 日本語テスト 한국어",
    "controls": "\x00\x01\x7f\u200b\u200d\ufeff\ufffd\U000e0001\U0010ffff",
    "marks": "▁under▁ ▁▁ Ġbyte Ċ <0x41><0xE4> <unk> [MASK] wordyes yes [X]",
    "long": "supercalifragilisticexpialidocious" * 4,
}

INVALID = {
    "lone continuation": b"a\x80b",
    "truncated": b"caf\xc3",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80x",
    "latin-1": "déjà vu".encode("latin-1"),
    "too high": b"\xf4\x90\x80\x80 \xff\xfe",
    "cut emoji": "👍".encode()[:3] + b" \xe4\xbd" + b"ok",
}

CORPUS = [
    text + ending
    for text in [
        *CASES.values(),
        "The model reads the words and the words make sentences that the model reads again.",
        "It's what they've said: we'll see, I'd wait, you're right, that's it, don't worry.",
        "One hundred and twenty-three 123 456 789 1000 2000 3000 42 17 99 10 20 30.",
        "if (value == nullptr) { return false; } else { value->next = nullptr; } // comment",
        "print('hello world')\nfor i in range(10):\n    print(i)\n    if i > 5:\n        break\n",
        "今天 明天 后天 我们 你们 他们 学习 中文 北京 上海 天气 公园 标点 数字",
        "Der Fluß fließt, die Straße grüßt; où est la forêt? El niño comió piña mañana.",
        "привет мир, как дела сегодня? всё хорошо, спасибо. мир труд май",
        "नमस्ते नमस्ते दुनिया दुनिया मरहबा مرحبا مرحبا بالعالم สวัสดี สวัสดี ชาวโลก",
    ]
    for ending in ["", " ", "\n"]
] * 4

POOLS = [
    "abcdefghij ABC 's 't 're 'LL",
    " \t\n\r\u00a0\u3000\u2028\u0085\x0b\x0c",
    "0123456789½²Ⅷ٣४",
    "今天气很好，。「」々〇",
    "👨‍👩‍👧‍👦🇫🇷👍🏽❤️☃\u200d\ufe0f",
    "e\u0301\u0300\u0308a\u030ao\u0327\u0328\u0345한글\u1100\u1161\u11a8\u212b\u0958\u0344",
    ".,;:!?-_/\\|(){}[]<>@#$%^&*~`'\"+=",
    "مرحباนमस्तेสวัสดี๑",
    "\x00\x01\x7f\u200b\ufeff\ufffdſKİßǅ▁Ġ",
]
WORDS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<tool_call>", "yes",
    "[MASK]", "[X]", "<0x41>", "'s", "'ſ", " the", "word", "  ", "\r\n", "\n\n", "▁▁",
]


def random_text(rng: random.Random, words: list = WORDS) -> str:
    parts = []
    for _ in range(rng.randint(0, 12)):
        kind = rng.random()
        if kind < 0.25:
            parts.append(rng.choice(words))
        elif kind < 0.35:
            code = rng.randint(0, 0x10FFFF)
            parts.append(chr(code if not 0xD800 <= code < 0xE000 else 0x20))
        elif kind < 0.45:
            parts.append(chr(rng.randint(0, 0x2FFF)))
        else:
            pool = rng.choice(POOLS)
            parts.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 8))))
    return "".join(parts)
