#!/usr/bin/env python3
"""Trains tokenizers on random texts with random settings; merges and ids must be those of Hugging Face's BpeTrainer.

    python3 -m venv venv && venv/bin/pip install tokenizers
    venv/bin/python bench/peers/tokenizer_training_fuzz.py --program build/bin/glassgpt [--runs 300] [--seed 1]

Ends at the first difference, and leaves its files and the command in the folder that it names.
"""
import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

from tokenizer_training import pairs  # before the package: it keeps tokenizers.py of this folder from standing in for that
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ALPHABETS = ["ab", "abc ", "etaoin shrdlu", "中文字的是不了人我", "éüñß", "\U0001f600\U0001f468\u200d\U0001f4bb", "0123456789", "'s't'll.,-!?"]
BLANKS = [" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u3000", "\u00a0", ""]
SPECIALS = ["<|endoftext|>", "<s>", "</s>", "[PAD]", "ab", "the"]


def random_text(source):
    letters = "".join(source.sample(ALPHABETS, source.randint(1, 4)))
    words = ["".join(source.choice(letters) for _ in range(source.randint(1, 12))) for _ in range(source.randint(1, 200))]
    words += ["the", source.choice("ax中") * source.randint(1, 300), source.choice(SPECIALS)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    chosen = source.choices(words, weights, k=source.randint(0, 3000))
    return "".join(word + source.choice(BLANKS) for word in chosen)


def train_huggingface(files, vocab_size, min_frequency, specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=specials, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train(files, trainer)
    return json.loads(tokenizer.to_str())["model"]


def run(program, source, folder):
    files = []
    for number in range(source.randint(1, 3)):
        files.append(os.path.join(folder, f"{number}.txt"))
        with open(files[-1], "wb") as file:
            file.write(random_text(source).encode())
    vocab_size, min_frequency = source.randint(257, 1500), source.choice([0, 1, 2, 2, 5, 20])
    specials = source.sample(SPECIALS, source.randint(1, 3))
    command = [program, "train-tokenizer", "-q", "--threads", str(source.randint(1, 4)), "--vocab-size", str(vocab_size),
               "--min-frequency", str(min_frequency), "-o", os.path.join(folder, "out"), *files]
    for special in specials:
        command += ["--special", special]
    subprocess.run(command, check=True)
    with open(os.path.join(folder, "out", "tokenizer.json"), encoding="utf-8") as file:
        ours = json.load(file)["model"]
    theirs = train_huggingface(files, vocab_size, min_frequency, specials)
    same = pairs(ours) == pairs(theirs) and ours["vocab"] == theirs["vocab"]
    return same, len(theirs["merges"]), command


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/bin/glassgpt")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    merges = 0
    for number in range(options.runs):
        folder = tempfile.mkdtemp(prefix="tokenizer-training-")
        same, count, command = run(options.program, random.Random(f"{options.seed} {number}"), folder)
        if not same:
            sys.exit(f"run {number} differs: {shlex.join(command)}")
        merges += count
        shutil.rmtree(folder)
    print(f"{options.runs} runs, {merges} merges: the same merges in the same order, the same ids")


if __name__ == "__main__":
    main()
