#!/usr/bin/env python3
"""Times glassgpt's tokenizer beside its peers: one run, one thread, the same texts, ids checked equal first.

    python3 -m venv venv && venv/bin/pip install tiktoken tokenizers gigatoken quicktok-v1 bpe-openai
    venv/bin/python bench/peers/tokenizers.py --build build --shared ../shared

Peers that are not installed are named and left out; one whose ids differ is reported, not timed. Every program
gets the whole text in one call and gives all ids, in the form that its own interface has: Python lists for tiktoken,
quicktok and bpe-openai, an Encoding for tokenizers, an array for gigatoken and glassgpt. "first" is the first call of a
tokenizer that was just made, "then" the median of the calls after it. MB/s are 10^6 bytes of UTF-8 a second.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizer_peers as peers  # noqa: E402  (the threads are named before anybody starts some)


def tiktoken(vocabulary):
    return peers.tiktoken_encoding(vocabulary).encode_ordinary


def tokenizers(vocabulary):
    tokenizer = peers.huggingface(vocabulary)
    return None if tokenizer is None else lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def gigatoken(vocabulary):
    import gigatoken

    return gigatoken.Tokenizer.from_tiktoken(vocabulary.path).encode


def quicktok(vocabulary):
    import quicktok

    if vocabulary.name == "gpt2":
        return None
    return quicktok.Tokenizer(vocabulary.name + "_base", "").encode_ordinary


def bpe_openai(vocabulary):
    import bpe_openai

    peers.use_ranks(vocabulary)
    name = "r50k_base" if vocabulary.name == "gpt2" else vocabulary.name + "_base"
    return bpe_openai.get_encoding(name).encode_ordinary


PEERS = {"gigatoken": gigatoken, "bpe-openai": bpe_openai, "quicktok": quicktok, "tiktoken": tiktoken, "tokenizers": tokenizers}


def texts(shared, megabytes):
    corpus = os.path.join(shared, "data", "corpus")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = [path for folder in ("src", "tests", "kernels", "bench") for path in glob.glob(os.path.join(root, folder, "**"), recursive=True)]
    files = {
        "english": [os.path.join(corpus, "en", "wikipedia-schools-2007-1of6.txt")],
        "chinese": sorted(glob.glob(os.path.join(corpus, "zh", "*.txt"))),
        "code": sorted(path for path in code if path.endswith((".cpp", ".h", ".py"))),
    }
    for name, paths in files.items():
        data = b"".join(open(path, "rb").read() for path in paths)[:int(megabytes * 1e6)]
        # Some peers take the text of a special token for the token, whatever they are asked.
        yield name, data.decode("utf-8", "ignore").replace("<|", "< |")


def glassgpt(program, vocabulary, path, repeats):
    ids = path + ".ids"
    done = subprocess.run([program, vocabulary.path, vocabulary.name, str(repeats), path, ids], capture_output=True, text=True, check=True)
    import array

    values = array.array("I")
    values.frombytes(open(ids, "rb").read())
    return json.loads(done.stdout), values.tolist()


def timed(encode, text):
    start = time.perf_counter()
    ids = encode(text)
    return time.perf_counter() - start, ids


def measure_peer(make, vocabulary, text, expected, repeats):
    encode = make(vocabulary)
    if encode is None:
        return "has no such vocabulary"
    first, ids = timed(encode, text)
    ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    if ids != expected:
        at = next((i for i, (a, b) in enumerate(zip(ids, expected)) if a != b), min(len(ids), len(expected)))
        return f"other ids, from token {at} on"
    if first > 0.3:
        repeats = 2
    return first, statistics.median(timed(encode, text)[0] for _ in range(repeats))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--shared", default=os.environ.get("GLASSGPT_SHARED", "../shared"))
    parser.add_argument("--megabytes", type=float, default=4)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--vocabulary", choices=["gpt2", "cl100k", "o200k"], help="this one alone")
    arguments = parser.parse_args()
    program = os.path.join(arguments.build, "bin", "glassgpt_tokenizer_timing")
    print("| vocabulary | text | program | first MB/s | then MB/s | glassgpt is faster by |\n| --- | --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for vocabulary in peers.VOCABULARIES(os.path.join(arguments.shared, "data", "tokenizer")):
            if arguments.vocabulary not in (None, vocabulary.name):
                continue
            for name, text in texts(arguments.shared, arguments.megabytes):
                data = text.encode()
                path = os.path.join(folder, name)
                with open(path, "wb") as file:
                    file.write(data)
                ours, expected = glassgpt(program, vocabulary, path, arguments.repeats)
                rate = lambda seconds: f"{len(data) / seconds / 1e6:.1f}"  # noqa: E731
                print(f"| {vocabulary.name} | {name} | glassgpt | {rate(ours['cold'])} | {rate(ours['warm'])} | |", flush=True)
                for peer, make in PEERS.items():
                    try:
                        result = measure_peer(make, vocabulary, text, expected, arguments.repeats)
                    except ImportError:
                        result = "is not installed"
                    except Exception as error:  # a peer's trouble is no reason to leave the others out
                        result = f"failed: {type(error).__name__}: {str(error)[:200]}"
                    if isinstance(result, str):
                        print(f"{vocabulary.name}, {name}: {peer} {result}", file=sys.stderr)
                        continue
                    print(f"| {vocabulary.name} | {name} | {peer} | {rate(result[0])} | {rate(result[1])} | {result[1] / ours['warm']:.1f} |",
                          flush=True)


if __name__ == "__main__":
    main()
