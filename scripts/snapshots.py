#!/usr/bin/python3
"""Makes weights/NAME/snapshots.safetensors out of runs' snapshots (train --snapshots): how meaning formed.

    scripts/snapshots.py RUN/sinusoidal-first RUN/sinusoidal-second weights/mini/snapshots.safetensors

Runs that went on from each other's weights (train --init) are named in their order; one run by itself is fine as well.
The file, as small as the page needs it, of the words below (W of them, each with the space before it that it has in a text, Chinese ones
without), at S moments of the training:
    step    [S] int32             optimizer steps done, those of the runs before included
    table   [S, W, C] float16     rows of the embedding table, the mean over the word's tokens
    final   [S, W, C] float16     the last layer's output for the word alone, the mean over its tokens
and in the header's __metadata__: "words", the words as a JSON list, and "format", "glassgpt snapshots 1". Needs Debian's python3-numpy.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

WORDS = """king queen prince princess man woman boy girl father mother brother sister doctor nurse teacher
river lake sea mountain forest village city street house bridge bank money gold market price
dog cat horse cow sheep bird fish lion wolf bear red blue green yellow white black
one two three four five six seven eight nine ten January March July October Monday Friday
walk walked run ran eat ate see saw go went good better bad worse big small hot cold
France Paris Germany Berlin England London China Japan war peace music science
国王 父亲 母亲 北京 上海 中国 日本 红 黄 蓝 山 河 城 马 鱼 一 二 三 四 战争 音乐""".split()


def read_table(directory):
    with open(os.path.join(directory, "model.safetensors"), "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        name = next(n for n in ("transformer.wte.weight", "wte.weight") if n in header)
        begin, end = header[name]["data_offsets"]
        file.seek(8 + size + begin)
        dtype = {"F32": np.float32, "F16": np.float16}[header[name]["dtype"]]
        return np.frombuffer(file.read(end - begin), dtype).reshape(header[name]["shape"]).astype(np.float32)


def spelled(word):
    return " " + word if word.isascii() else word


def run(program, directory, command, texts, *extra):
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "words.jsonl"), os.path.join(folder, "out")
        with open(source, "w", encoding="utf-8") as file:
            for number, text in enumerate(texts):
                file.write(json.dumps({"id": number, "text": text}) + "\n")
        place = ["-o", out] if command == "embed" else []
        found = subprocess.run([program, command, "-q", "-m", directory, "--input", source, *extra, *place],
                               check=True, capture_output=True, text=True)
        return np.load(os.path.join(out, "final.npy")) if place else found.stdout


def vectors(program, directory):
    texts = [spelled(word) for word in WORDS]
    ids = [[int(i) for i in line.split()] for line in run(program, directory, "tokenize", texts, "--ids").splitlines()]
    table = read_table(directory)
    rows = np.array([table[one].mean(axis=0) for one in ids])
    final = run(program, directory, "embed", texts, "--layers", "final", "--unit", "text", "--pool", "mean", "--format", "npy")
    return rows, final


def moments(runs):
    """(step, directory) of each snapshot. A later run counts on from the last step of the one before, whose end is its own beginning."""
    found = []
    for run_directory in runs:
        folder = os.path.join(run_directory, "snapshots")
        names = sorted(name for name in os.listdir(folder) if name.startswith("step_")) if os.path.isdir(folder) else []
        if not names:
            sys.exit(f"snapshots.py: {run_directory} holds no snapshots; name runs of glassgpt train --snapshots N")
        before = found[-1][0] if found else 0
        steps = [(int(name.removeprefix("step_")), os.path.join(folder, name)) for name in names]
        found += [(before + step, directory) for step, directory in steps if step > 0 or not found]
    return found


def write_safetensors(file, tensors, metadata):
    names = {np.dtype(np.float16): "F16", np.dtype(np.int32): "I32"}
    header, offset = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file + ".part", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            out.write(np.ascontiguousarray(tensor).tobytes())
    os.rename(file + ".part", file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="directories of the runs, which have snapshots/, in their order")
    parser.add_argument("output")
    parser.add_argument("--glassgpt", default="build/bin/glassgpt")
    options = parser.parse_args()
    snapshots = moments(options.runs)
    both = [vectors(options.glassgpt, directory) for _, directory in snapshots]
    tensors = {
        "step": np.array([step for step, _ in snapshots], dtype=np.int32),
        "table": np.array([table for table, _ in both], dtype=np.float16),
        "final": np.array([final for _, final in both], dtype=np.float16),
    }
    write_safetensors(options.output, tensors, {"format": "glassgpt snapshots 1", "words": json.dumps(WORDS, ensure_ascii=False)})
    print(f"{options.output}: {len(snapshots)} snapshots of {len(WORDS)} words, {os.path.getsize(options.output)} bytes")


main()
