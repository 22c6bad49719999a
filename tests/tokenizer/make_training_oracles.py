#!/usr/bin/env python3
"""Writes training_oracles.jsonl: what Hugging Face's BpeTrainer makes of small texts. Needs `pip install tokenizers`.

    venv/bin/python tests/tokenizer/make_training_oracles.py > tests/tokenizer/training_oracles.jsonl
"""
import json
import os
import random
import tempfile

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def train(name, texts, vocab_size, min_frequency=0, specials=(), alphabet=True):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=list(specials), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [])
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, text in enumerate(texts):
            files.append(os.path.join(folder, str(number)))
            with open(files[-1], "wb") as file:
                file.write(text.encode())
        tokenizer.train(files, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    print(json.dumps({"name": name, "made_by": "tokenizers " + tokenizers.__version__, "texts": texts, "vocab_size": vocab_size,
                      "min_frequency": min_frequency, "special_tokens": list(specials), "initial_alphabet": alphabet,
                      "vocab": model["vocab"], "merges": [list(m) if not isinstance(m, str) else m.split(" ") for m in model["merges"]]}))


def main():
    source = random.Random(5)
    words = ["the", "cat", "sat", "on", "a", "mat", "mats", "cats", "that", "don't", "It's", "1234", "12", "...", "--"]
    text = "".join(source.choice(words) + source.choice([" ", " ", "  ", "\n", "\n\n", ", "]) for _ in range(400))
    chinese = "".join(source.choice("中文字的是不了人我在有他这") + source.choice(["", "", "", "。", " ", "\n"]) for _ in range(300))
    ties = "".join(a + b + " " for a in "abcdef" for b in "uvwxyz")
    train("special tokens, one of them in the text", ["<s> the cat </s> the mat <s>\n" * 3 + text], 320, 0, ["<s>", "</s>", "[PAD]"])
    train("min_frequency", [text], 1000, 20)
    train("several files", [text, chinese, "the last\r\nfile"], 330, 2, ["<|endoftext|>"])
    train("ties", [ties], 300)
    train("many bytes per character", [chinese + "\U0001F600\U0001F468\u200d\U0001F4BB é\u0301 " * 5], 340)
    train("alphabet of the text alone", [text], 60, 0, ["<|endoftext|>"], alphabet=False)
    train("vocabulary smaller than the alphabet", [text], 10, 0, ["<|endoftext|>"], alphabet=False)
    train("vocabulary smaller than 256 bytes", [text], 100)
    train("empty file", [""], 300, 0, ["<|endoftext|>"])
    train("no pair in the text, but an empty file beside it", ["", "a\nb\n", ""], 300)
    train("one huge word", ["abcab" * 700 + "aaaaaaaaa" * 200 + "b"], 290)
    train("overlaps", ["aaa aaaa aaaaa aaaaaaaa\n" * 4], 280)
    train("a special token that merges make", ["ab ab ab abc abc\n" * 4], 270, 0, ["ab"], alphabet=True)


if __name__ == "__main__":
    main()
