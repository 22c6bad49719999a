#!/usr/bin/python3
"""Prints the tables of a model card: how good the model is beside simple baselines, the geometry of its vectors, samples.

    scripts/model_card.py -m weights/mini --shared ../shared

Calls `glassgpt` (build/bin/glassgpt, or --glassgpt) for everything that is the model's; the baselines and statistics are
numpy's (Debian: python3-numpy) and xz's. SHARED/data holds the corpora and evaluation sets that cards are written with.
"""

import argparse
import csv
import json
import lzma
import os
import subprocess
import tempfile

import numpy as np

WORD_SETS = ("EN-WS-353-ALL", "EN-SIMLEX-999", "EN-MEN-TR-3k", "EN-RG-65")
N_GRAM = 5
NEIGHBOURS_OF = " river, king, water, doctor, red, seven, walked,北京,父亲,黄色".split(",")
BANK = (("After the flood, the river had washed away part of its bank",
         "The boat drifted down the stream and came to the muddy bank"),
        ("The company could not pay its debt and borrowed money from a bank",
         "Interest rates rose, so people put their savings in the bank"))
PROMPTS = ("The river", "In the summer of 1914,", "北京是", "话说")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", default="weights/mini")
    parser.add_argument("--shared", default=os.environ.get("GLASSGPT_SHARED", "../shared"))
    parser.add_argument("--glassgpt", default="build/bin/glassgpt")
    parser.add_argument("--train-megabytes", type=float, default=8, help="text for the n-grams, per language")
    parser.add_argument("--tables", default="losses,neighbours,bank,geometry,words,senses,samples")
    return parser.parse_args()


def table(header, rows, align="---:"):
    print("| " + " | ".join(header) + " |")
    print("| --- " + f"| {align} " * (len(header) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print()


def glassgpt(options, *arguments):
    command = [options.glassgpt, arguments[0], "-q", "-m", options.model, *arguments[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# Losses


def grams(data, order):
    """Of a byte string: the number (base 256) of the `order` bytes that end at each place."""
    values = np.zeros(len(data), dtype=np.uint64)
    for back in range(order):
        part = np.zeros(len(data), dtype=np.uint64)
        part[back:] = data[: len(data) - back]
        values += part << np.uint64(8 * back)
    return values


def lookup(keys, counts, wanted):
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, counts[place], 0).astype(np.float64)


def n_gram_bits(train, text, order):
    """Bits per byte of `text` under an interpolated byte n-gram model of `train` (Witten and Bell 1991)."""
    probability = np.full(len(text), 1 / 256)
    for n in range(1, order + 1):
        keys, counts = np.unique(grams(train, n), return_counts=True)
        heads, first = np.unique(keys >> np.uint64(8), return_index=True)
        totals = np.add.reduceat(counts, first)
        kinds = np.diff(np.append(first, len(keys)))
        wanted = grams(text, n)
        context = wanted >> np.uint64(8)
        total, kind = lookup(heads, totals, context), lookup(heads, kinds, context)
        count = lookup(keys, counts, wanted)
        seen = total > 0
        mixed = (count + kind * probability) / np.maximum(total + kind, 1)
        probability = np.where(seen, mixed, probability)
    return float(-np.log2(probability).mean())


def training_bytes(folder, limit):
    """The beginnings of a folder's texts, in proportion to their lengths."""
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".txt"))
    share = min(1.0, limit / sum(os.path.getsize(file) for file in files))
    parts = []
    for file in files:
        with open(file, "rb") as data:
            parts.append(data.read(int(share * os.path.getsize(file))))
    return np.frombuffer(b"\n\n".join(parts), dtype=np.uint8)


def losses(options):
    rows = []
    for name, folder in (("English", "en"), ("Chinese", "zh")):
        corpus = os.path.join(options.shared, "data", "corpus")
        file = os.path.join(corpus, "valid", f"{folder}-valid.txt")
        found = json.loads(glassgpt(options, "evaluate", "--json", "--input", file, "--input-format", "documents"))
        with open(file, "rb") as data:
            raw = data.read()
        text = np.frombuffer(raw, dtype=np.uint8)
        train = training_bytes(os.path.join(corpus, folder), options.train_megabytes * 1e6)
        packed = 8 * len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)) / len(raw)
        rows.append((name, found["tokens"], found["nats_per_token"], found["bits_per_byte"],
                     n_gram_bits(train, text, 1), n_gram_bits(train, text, N_GRAM), packed))
    table(("held-out text", "tokens", "nats per token", "bits per byte", "unigram (bytes)",
           f"interpolated {N_GRAM}-gram (bytes)", "xz -9e"), rows)


# What it says


def neighbours(options):
    rows = []
    for token in NEIGHBOURS_OF:
        found = json.loads(glassgpt(options, "nearest", "--json", "--top", "6", token))["nearest"]
        rows.append((token.strip(), ", ".join(f"{one['token'].strip()} {one['cosine']:.2f}" for one in found)))
    table(("token", "nearest"), rows, "---")


def bank(options):
    """Mean angles of the word in pairs of sentences of one sense and of different ones."""
    of_kind = {"same": [], "different": []}
    sentences = [(sense, text) for sense, texts in enumerate(BANK) for text in texts]
    for i, (sense, text) in enumerate(sentences):
        for other_sense, other in sentences[i + 1:]:
            found = json.loads(glassgpt(options, "similar", "--json", "--word", "bank", text, other))["layers"]
            of_kind["same" if sense == other_sense else "different"].append(found)

    def mean(kind, layer, key):
        return sum(found[layer][key] for found in of_kind[kind]) / len(of_kind[kind])

    rows = []
    for layer in of_kind["same"][0]:
        angles = [f"{mean(kind, layer, key):.1f}°" for key in ("angle", "centred_angle") for kind in of_kind]
        rows.append((layer, *angles, mean("same", layer, "random_pairs")))
    table(("layer", "same sense", "different", "same, centred", "different, centred", "random pairs (cosine)"), rows)


def samples(options):
    for prompt in PROMPTS:
        text = glassgpt(options, "generate", "--seed", "1", "--max-tokens", "50", "--temperature", "0.7", prompt)
        print("> " + text.strip().replace("\n", "\n> ") + "\n")


# Vectors


def embed(options, texts, unit, extra=()):
    """Vectors by layer, and the description of each row."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "texts.jsonl"), os.path.join(folder, "vectors")
        with open(source, "w", encoding="utf-8") as file:
            for number, text in enumerate(texts):
                file.write(json.dumps({"id": number, "text": text}) + "\n")
        glassgpt(options, "embed", "--input", source, "--layers", "all", "--unit", unit, "--truncate", "right",
                 "--format", "npy", "-o", out, *extra)
        with open(os.path.join(out, "rows.jsonl"), encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        names = sorted(name for name in os.listdir(out) if name.startswith("layer_")) + ["final.npy"]
        return {name[:-4].replace("layer_0", ""): np.load(os.path.join(out, name)) for name in names}, rows


def unit_length(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def reference_tokens(options, count=400):
    """Tokens in their contexts, out of both held-out texts."""
    texts = []
    for language in ("en", "zh"):
        file = os.path.join(options.shared, "data", "corpus", "valid", f"{language}-valid.txt")
        with open(file, encoding="utf-8") as data:
            paragraphs = [line.strip() for line in data if len(line) > 80]
        texts += [text[:400] for text in paragraphs[:: max(1, len(paragraphs) // count)][:count]]
    return embed(options, texts, "token")[0]


def geometry(options, reference):
    random = np.random.default_rng(1)
    rows = []
    for layer, x in reference.items():
        a, b = random.integers(0, len(x), (2, 20000))
        centred = x - x.mean(axis=0)
        products = (unit_length(x)[a] * unit_length(x)[b]).mean(axis=0)
        order = np.argsort(-products)[:3]
        raw, middle = float(products.sum()), float((unit_length(centred)[a] * unit_length(centred)[b]).sum(axis=1).mean())
        leading = ", ".join(f"{d} ({100 * products[d] / raw:.0f}%)" for d in order)
        rows.append((layer, raw, middle, leading))
    table(("layer", "mean cosine of random pairs", "centred", "dimensions that make most of it"), rows)


def ranks(values):
    values = np.asarray(values)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def correlation(a, b):
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def words(options, reference):
    folder = os.path.join(options.shared, "data", "eval", "word-similarity")
    sets, vocabulary = {}, {}
    for name in WORD_SETS:
        with open(os.path.join(folder, name + ".txt"), encoding="utf-8") as file:
            sets[name] = [(a, b, float(score)) for a, b, score in (line.split() for line in file)]
        for a, b, _ in sets[name]:
            vocabulary.setdefault(a, len(vocabulary))
            vocabulary.setdefault(b, len(vocabulary))
    # With the space before it: as a word stands in a text.
    vectors, _ = embed(options, [" " + word for word in vocabulary], "text", ("--pool", "mean"))
    rows = []
    for layer, x in vectors.items():
        row = [layer]
        for mean in (0, reference[layer].mean(axis=0)):
            u = unit_length(x - mean)
            for pairs in sets.values():
                cosines = [u[vocabulary[a]] @ u[vocabulary[b]] for a, b, _ in pairs]
                row.append(correlation(cosines, [score for *_, score in pairs]))
        rows.append(row)
    table(("layer", *WORD_SETS, *(f"{name}, centred" for name in WORD_SETS)), rows)


def word_vectors(options, sentences, spans):
    """The word at bytes [begin, end) of each sentence, the mean over the tokens that touch it: {layer: [sentences, C]}; and
    which sentences have it."""
    vectors, rows = embed(options, sentences, "token")
    numbers, places = [], []
    for place, row in enumerate(rows):
        begin, end = spans[row["text"]]
        if row["bytes"][0] < end and row["bytes"][1] > begin:
            numbers.append(row["text"])
            places.append(place)
    counts = np.bincount(numbers, minlength=len(sentences))
    means = {}
    for layer, x in vectors.items():
        sums = np.zeros((len(sentences), x.shape[1]))
        np.add.at(sums, numbers, x[places])
        means[layer] = sums / np.maximum(counts, 1)[:, None]
    return means, counts > 0


def best_threshold(cosines, labels):
    order = np.sort(cosines)
    return max(order, key=lambda limit: ((cosines >= limit) == labels).mean())


def senses(options, reference):
    with open(os.path.join(options.shared, "data", "eval", "word-in-context", "wic-dev.tsv"), encoding="utf-8") as file:
        pairs = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    sentences = [pair[f"sentence{n}"] for pair in pairs for n in (1, 2)]
    spans = [tuple(len(pair[f"sentence{n}"][: int(pair[f"{side}{n}"])].encode()) for side in ("start", "end"))
             for pair in pairs for n in (1, 2)]
    vectors, found = word_vectors(options, sentences, spans)
    kept = [i for i in range(len(pairs)) if found[2 * i] and found[2 * i + 1]]
    labels = np.array([pairs[i]["label"] == "1" for i in kept])
    rows = []
    for layer, x in vectors.items():
        row = [layer]
        for mean in (0, reference[layer].mean(axis=0)):
            u = unit_length(x - mean)
            cosines = np.array([u[2 * i] @ u[2 * i + 1] for i in kept])
            # The threshold is chosen on the pairs of even number, the accuracy is that of the others.
            limit = best_threshold(cosines[::2], labels[::2])
            row.append(float(((cosines[1::2] >= limit) == labels[1::2]).mean()))
        rows.append(row)
    print(f"{len(kept)} of {len(pairs)} pairs, {100 * labels.mean():.0f}% of one sense\n")
    table(("layer", "accuracy", "accuracy, centred"), rows)


def main():
    options = parse()
    wanted = options.tables.split(",")
    for name, part in (("losses", losses), ("neighbours", neighbours), ("bank", bank)):
        if name in wanted:
            part(options)
    reference = reference_tokens(options) if set(wanted) & {"geometry", "words", "senses"} else None
    for name, part in (("geometry", geometry), ("words", words), ("senses", senses)):
        if name in wanted:
            part(options, reference)
    if "samples" in wanted:
        samples(options)


main()
