#!/usr/bin/env python3
"""Trains a byte-level BPE tokenizer with glassgpt and with Hugging Face's tokenizers on the same files and threads.

    python3 -m venv venv && venv/bin/pip install tokenizers
    venv/bin/python bench/peers/tokenizer_training.py --build build --shared ../shared

Both merge lists and vocabularies must be equal before the times are shown.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import tokenizer_peers  # noqa: F401  (keeps tokenizers.py of this folder from standing in for the package)


def corpus(shared, megabytes, folder):
    """The corpus files in the order of their names, up to this size, in one file: with 100 MB all English."""
    paths = sorted(glob.glob(os.path.join(shared, "data", "corpus", "*", "*.txt")))
    path = os.path.join(folder, "corpus.txt")
    left = int(megabytes * 1e6)
    with open(path, "wb") as out:
        for name in paths:
            data = open(name, "rb").read()[:left]
            left -= len(data)
            out.write(data.decode("utf-8", "ignore").encode())
    return path


def train_huggingface(path, vocab_size):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    start = time.perf_counter()
    tokenizer.train([path], trainer)
    return time.perf_counter() - start, json.loads(tokenizer.to_str())["model"]


def train_glassgpt(program, path, vocab_size, threads, folder):
    start = time.perf_counter()
    subprocess.run([program, "train-tokenizer", "--quiet", "--threads", str(threads), "--vocab-size", str(vocab_size), "-o", folder, path], check=True)
    seconds = time.perf_counter() - start
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        return seconds, json.load(file)["model"]


def pairs(model):
    return [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--shared", default=os.environ.get("GLASSGPT_SHARED", "../shared"))
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--vocab-size", type=int, default=32768)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with tempfile.TemporaryDirectory() as folder:
        path = corpus(arguments.shared, arguments.megabytes, folder)
        ours, mine = train_glassgpt(os.path.join(arguments.build, "bin", "glassgpt"), path, arguments.vocab_size, arguments.threads, folder)
        theirs, other = train_huggingface(path, arguments.vocab_size)
        if pairs(mine) != pairs(other):
            at = next(i for i, (a, b) in enumerate(zip(pairs(mine), pairs(other))) if a != b)
            sys.exit(f"the merges differ from {at} on: {pairs(mine)[at]} here, {pairs(other)[at]} there")
        if mine["vocab"] != other["vocab"]:
            sys.exit("the merges are the same, the vocabularies differ")
        size = os.path.getsize(path) / 1e6
    print(f"{size:.0f} MB to {arguments.vocab_size} tokens with {arguments.threads} threads, the same merges and ids: "
          f"glassgpt {ours:.2f} s, tokenizers {theirs:.2f} s, {theirs / ours:.1f} times")


if __name__ == "__main__":
    main()
