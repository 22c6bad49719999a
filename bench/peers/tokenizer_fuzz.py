#!/usr/bin/env python3
"""Compares glassgpt's token ids with tiktoken's and Hugging Face's on random text.

    python3 -m venv venv && venv/bin/pip install tiktoken tokenizers
    venv/bin/python bench/peers/tokenizer_fuzz.py --program build/bin/glassgpt --shared ../shared --code-points 5000000

For each of gpt2, cl100k and o200k: code points of all planes, the characters on which the patterns turn,
mixed scripts, long words, runs, and texts with special tokens in both modes. Stops at the first difference
and prints the shortest text that shows it. Exit code 0: none.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizer_peers import VOCABULARIES, huggingface, tiktoken_encoding

EDGES = list("aabstlvedmrSTLVEDMRZ''''1234    \t\n\n\r!./-#\v\f\x00\x1c\x85\xa0é\u0130ſKßŉ")
EDGES += ["\u3000", "\u200b", "\u2028", "\ufeff", "\u180e", "\u01c5", "\u02b0", "中", "文", "が", "\u0300", "\u0301", "\u20dd", "²", "Ⅳ",
          "٣", "😁", "👩\u200d👩", "𝟘", "𐐀", "𐐨", "'s", "'LL", "'re", "  \n", "\r\n", "//\n/", "don't", "HTTPServer"]
SCRIPTS = [(0x20, 0x7f), (0xa0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xa00), (0xe00, 0xe80), (0x1e00, 0x2100), (0x2000, 0x2c00),
           (0x3040, 0x3100), (0x4e00, 0xa000), (0xac00, 0xd7a4), (0xf900, 0x10000), (0x10000, 0x11000), (0x1d400, 0x1d800), (0x1f300, 0x1fb00)]
SPECIALS = ["<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|end", "<|endoftext|", "|>"]


def code_point(source, low=0, high=0x110000):
    while True:
        value = source.randrange(low, high)
        if not 0xD800 <= value < 0xE000:
            return chr(value)


def random_text(source, real):
    parts = []
    for _ in range(source.randrange(1, 30)):
        kind = source.randrange(9)
        if kind == 0:
            parts += [code_point(source) for _ in range(source.randrange(1, 20))]
        elif kind in (1, 2, 3):
            parts += source.choices(EDGES, k=source.randrange(1, 40))
        elif kind == 4:
            low, high = source.choice(SCRIPTS)
            parts += [code_point(source, low, high) for _ in range(source.randrange(1, 40))]
        elif kind == 5:
            parts.append(source.choice(EDGES) * source.randrange(1, 300))
        elif kind == 6:
            low, high = source.choice([(0x61, 0x7b), (0x41, 0x7b), (0x4e00, 0x9fff), (0x30, 0x3a)])
            parts += [code_point(source, low, high) for _ in range(source.randrange(10, 400))]
        else:
            at = source.randrange(len(real))
            parts.append(real[at:at + source.randrange(1, 400)])
    return "".join(parts)


def with_specials(source, text):
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(text) + 1)
        text = text[:at] + source.choice(SPECIALS) + text[at:]
    return text


def ours(program, vocabulary, texts, special):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "texts.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            for number, text in enumerate(texts):
                file.write(json.dumps({"id": number, "text": text}, ensure_ascii=True) + "\n")
        done = subprocess.run([program, "tokenize", "--ids", "--special", special, "--tokenizer", vocabulary.path, "--pattern",
                               vocabulary.name, "--input", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [[int(word) for word in line.split()] for line in done.stdout.split("\n")[:len(texts)]]


def shortest(text, differs):
    """Takes pieces out of the text as long as it still differs."""
    step = len(text) // 2
    while step > 0:
        at = 0
        while at < len(text):
            shorter = text[:at] + text[at + step:]
            if differs(shorter):
                text = shorter
            else:
                at += step
        step //= 2
    return text


def compare(arguments, vocabulary, texts, special, peers):
    mine = ours(arguments.program, vocabulary, texts, special)
    for name, encode in peers.items():
        for text, ids in zip(texts, mine):
            if encode(text) != ids:
                def differs(candidate):
                    return encode(candidate) != ours(arguments.program, vocabulary, [candidate], special)[0]
                text = shortest(text, differs) if differs(text) else text
                sys.exit(f"{vocabulary.name}, special {special}: differs from {name} on {text!r}\n"
                         f"  theirs: {encode(text)}\n  ours:   {ours(arguments.program, vocabulary, [text], special)[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/bin/glassgpt")
    parser.add_argument("--shared", default=os.environ.get("GLASSGPT_SHARED", "../shared"))
    parser.add_argument("--code-points", type=int, default=2_000_000, help="per vocabulary")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = os.path.join(arguments.shared, "data", "tokenizer")
    real = ""
    for language in ["eng", "cmn_hans", "jpn", "kor", "tha", "rus", "arb", "hin", "ell", "heb", "vie", "tur"]:
        path = os.path.join(folder, "udhr", language + ".txt")
        if os.path.exists(path):
            real += open(path, encoding="utf-8").read()
    for vocabulary in VOCABULARIES(folder):
        source = random.Random(arguments.seed)
        tiktoken = tiktoken_encoding(vocabulary)
        hugging = huggingface(vocabulary)
        none = {"tiktoken": tiktoken.encode_ordinary}
        everything = {"tiktoken": lambda text, e=tiktoken: e.encode(text, allowed_special="all")}
        if hugging is not None:
            everything["tokenizers"] = lambda text, h=hugging: h.encode(text, add_special_tokens=False).ids
        done = 0
        while done < arguments.code_points:
            texts = [random_text(source, real) for _ in range(400)]
            compare(arguments, vocabulary, texts, "none", none)
            compare(arguments, vocabulary, [with_specials(source, text) for text in texts[:100]], "all", everything)
            done += sum(map(len, texts))
        print(f"{vocabulary.name}: {done} code points, the same ids as {', '.join(everything)}", flush=True)


if __name__ == "__main__":
    main()
