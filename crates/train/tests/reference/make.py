"""Writes templates.json: what transformers makes of a few rows under three real chat templates.

    python make.py SMOLLM2.gguf QWEN3_FOLDER LLAMA3_FOLDER > templates.json

Needs transformers 5.23 with its jinja2. Each folder holds tokenizer.json and tokenizer_config.json. SmolLM2's tokenizer
is put together from the GGUF metadata with the pieces that its tokenizer.json lists. The day is held at 2026-01-02,
since Llama's template asks for it. `end` is one past the end token of the last assistant turn; `start` is where the
ids of the generation prompt end.
"""

import datetime
import hashlib
import json
import struct
import sys

import transformers
import transformers.utils.chat_template_utils as chat_template_utils
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 2)


chat_template_utils.datetime = Day

ROWS = [
    ("Be careful.", "Why is the sky blue?", "<think>\nRayleigh scattering.\n</think>\n\nShort light scatters more."),
    (
        "Name the conflict.\n\n- one\n- two",
        "Grüße, ¿qué tal? 日本語 🙂 1234567 it's  spaced\n\n\ttabbed",
        "<think>\nA list:\n\n1. `x = 10`\n2. na\u0308ive\n</think>\n\n# Head\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nDone.",
    ),
    (None, "No system prompt here.", "<think>\nNone.\n</think>\n\nIndeed."),
    ("Be careful.", "And without thinking?", "Plain answer, 3.14."),
    ("Be careful.", "Loose form?", "<think>tight</think>After one\n</b> tag\n"),
]


def gguf(path):
    file = open(path, "rb")
    take = lambda form: struct.unpack(form, file.read(struct.calcsize(form)))[0]
    text = lambda: file.read(take("<Q")).decode("utf-8", "replace")
    numbers = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = take("<I"), take("<Q")
            return [value(inner) for _ in range(count)]
        return take(numbers[kind])

    file.read(16)
    return {text(): value(take("<I")) for _ in range(take("<Q"))}


def smollm2(path):
    meta = gguf(path)
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    merges = [tuple(pair.split(" ")) for pair in meta["tokenizer.ggml.merges"]]
    inner = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds) if k == 3])
    special = {f"{name}_token": tokens[meta[f"tokenizer.ggml.{key}_token_id"]]
               for name, key in [("bos", "bos"), ("eos", "eos"), ("pad", "padding")]}
    return PreTrainedTokenizerFast(tokenizer_object=inner, chat_template=meta["tokenizer.chat_template"], **special)


def folder(path):
    config = json.load(open(f"{path}/tokenizer_config.json"))
    special = {key: config[key] for key in ("bos_token", "eos_token", "pad_token") if config.get(key)}
    return PreTrainedTokenizerFast(
        tokenizer_file=f"{path}/tokenizer.json", chat_template=config["chat_template"],
        clean_up_tokenization_spaces=False, **special
    )


def ids(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)


def main(smollm2_path, qwen3_path, llama3_path):
    families = {"smollm2": smollm2(smollm2_path), "qwen3": folder(qwen3_path), "llama3": folder(llama3_path)}
    result = {"transformers": transformers.__version__, "day": "2026-01-02", "families": {}}
    for name, tokenizer in families.items():
        rows = []
        for system, user, answer in ROWS:
            prompt = [{"role": "system", "content": system}] * (system is not None) + [{"role": "user", "content": user}]
            whole = prompt + [{"role": "assistant", "content": answer}]
            full, opened = ids(tokenizer, whole), ids(tokenizer, prompt, add_generation_prompt=True)
            assert full[: len(opened)] == opened, (name, user)
            end = max(at for at, id in enumerate(full) if id == tokenizer.eos_token_id) + 1
            rows.append({"system": system, "user": user, "answer": answer, "ids": full, "start": len(opened), "end": end})
        template = hashlib.sha256(tokenizer.chat_template.encode()).hexdigest()
        result["families"][name] = {"template_sha256": template, "rows": rows}
    json.dump(result, sys.stdout, ensure_ascii=False)
    print()


main(*sys.argv[1:])
