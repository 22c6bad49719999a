#!/usr/bin/python3
"""glassgpt word2vec beside Debian's fasttext: speed, word similarity and analogies at equal settings. See README.md.

    bench/peers/word2vec.py --build build --similarity DIR --analogies FILE... --work DIR TEXT... [--threads 1 2]

Both train on the same words: TEXT in lower case, runs of letters, digits and apostrophes, a line a sentence; with --dictionary
the words that ICU's dictionary finds, for Chinese (needs python3-icu). For each number of threads both are run in turns, and times
are medians. For each seed the Spearman correlation with people's judgements in the files of DIR is computed, over pairs whose words
both have a vector; and of each file of analogies (": section", then "a b c d" a line) the share of questions whose d is nearest to
b - a + c of all words but a, b and c, over questions whose words all have a vector. Needs python3-numpy and fasttext.
"""

import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import time

import numpy as np

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def dictionary_words():
    """The words of a line as glassgpt's --split text finds them: boundaries of Unicode's annex 29 and of ICU's dictionaries."""
    import icu
    breaks = icu.BreakIterator.createWordInstance(icu.Locale.getRoot())

    def words(line):
        # ICU counts UTF-16 units, as its own strings do.
        text = icu.UnicodeString(line)
        breaks.setText(text)
        found, begin = [], 0
        for end in breaks:
            # The rule's status says what it is: from 100 on letters, digits, ideographs.
            if breaks.getRuleStatus() >= 100:
                found.append(str(text[begin:end]))
            begin = end
        return found
    return words


def make_words(texts, file, words_of):
    with open(file, "w", encoding="utf-8") as out:
        for text in texts:
            with open(text, encoding="utf-8") as lines:
                for line in lines:
                    words = words_of(line.strip().lower())
                    if words:
                        out.write(" ".join(words) + "\n")


def read_vectors(file):
    with open(file, encoding="utf-8") as lines:
        count, dim = map(int, lines.readline().split())
        words, rows = {}, np.empty((count, dim), np.float32)
        for i, line in enumerate(lines):
            word, *numbers = line.rstrip().split(" ")
            words[word] = i
            rows[i] = numbers
    return words, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def ranks(values):
    """From 1, the mean rank where values are equal."""
    values = np.asarray(values, np.float64)
    order = np.argsort(values, kind="stable")
    result = np.empty(len(values))
    result[order] = np.arange(1, len(values) + 1)
    _, group = np.unique(values, return_inverse=True)
    return (np.bincount(group, result) / np.bincount(group))[group]


def spearman(a, b):
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def analogies(words, rows, file):
    """The share of questions that are answered right, and the share of questions whose words all have a vector."""
    questions, known = 0, []
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            fields = line.lower().split()
            if len(fields) != 4 or fields[0] == ":":
                continue
            questions += 1
            if all(word in words for word in fields):
                known.append([words[word] for word in fields])
    right = 0
    for first in range(0, len(known), 256):
        a, b, c, d = np.array(known[first:first + 256]).T
        cosines = (rows[b] - rows[a] + rows[c]) @ rows.T
        places = np.arange(len(a))
        for given in (a, b, c):
            cosines[places, given] = -np.inf
        right += int((cosines.argmax(axis=1) == d).sum())
    return (right / len(known) if known else 0.0), len(known) / max(1, questions)


def scores(vectors, options):
    """For each set its score and the share of pairs or questions that it is of."""
    words, rows = read_vectors(vectors)
    result = similarities(words, rows, options.similarity) if options.similarity else {}
    for file in options.analogies:
        name = os.path.basename(os.path.dirname(file)) + "/" + os.path.splitext(os.path.basename(file))[0]
        result[name] = analogies(words, rows, file)
    return result


def similarities(words, rows, directory):
    """For each set the correlation and the share of pairs that it is of."""
    result = {}
    for file in sorted(glob.glob(os.path.join(directory, "EN-*.txt"))):
        judged, cosines, pairs = [], [], 0
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                fields = line.lower().split()
                if len(fields) < 3:
                    continue
                pairs += 1
                if fields[0] in words and fields[1] in words:
                    judged.append(float(fields[2]))
                    cosines.append(float(rows[words[fields[0]]] @ rows[words[fields[1]]]))
        name = os.path.basename(file)[3:-4]
        result[name] = (spearman(judged, cosines), len(judged) / pairs)
    return result


def run(command):
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.monotonic() - start, done


class Glassgpt:
    name = "glassgpt"

    def __init__(self, options):
        self.program = os.path.join(options.build, "bin", "glassgpt")
        self.options = options

    def train(self, seed, threads):
        o = self.options
        file = os.path.join(o.work, "glassgpt.vec")
        command = [self.program, "word2vec", "--split", "space", "--dim", o.dim, "--window", o.window]
        command += ["--negative", o.negative, "--epochs", o.epochs, "--min-count", o.min_count, "--lr", o.lr]
        command += ["--sample", o.sample, "--seed", seed, "--threads", threads, "-q", "--json", "-o", file, o.words]
        seconds, done = run([str(word) for word in command])
        told = json.loads(done.stdout)
        return seconds, told["training_seconds"], file


class FastText:
    """With `ngrams` as it comes, with vectors of character n-grams; else words alone, the same model as ours."""

    def __init__(self, options, ngrams=False):
        self.name = "fasttext, default n-grams" if ngrams else "fasttext"
        self.ngrams = [] if ngrams else ["-minn", 0, "-maxn", 0]
        self.options = options

    def train(self, seed, threads):
        o = self.options
        base = os.path.join(o.work, "fasttext")
        command = ["fasttext", "skipgram", "-input", o.words, "-output", base, *self.ngrams, "-dim", o.dim]
        command += ["-ws", o.window, "-neg", o.negative, "-epoch", o.epochs, "-minCount", o.min_count, "-lr", o.lr]
        command += ["-t", o.sample, "-seed", seed, "-thread", threads]
        seconds, done = run([str(word) for word in command])
        # Its last progress line has the words of a second and thread, which leaves reading and writing out.
        rates = re.findall(r"words/sec/thread:\s*(\d+)", done.stderr + done.stdout)
        counted = re.search(r"Number of words", done.stderr + done.stdout) is not None
        training = o.trained / (float(rates[-1]) * threads) if rates and counted and float(rates[-1]) else float("nan")
        return seconds, training, base + ".vec"


def count_words(options):
    with open(options.words, encoding="utf-8") as lines:
        return sum(len(line.split()) for line in lines)


def measure(contenders, runs, options):
    for threads in options.threads:
        for seed in options.seeds:
            for contender in contenders:
                seconds, training, file = contender.train(seed, threads)
                result = scores(file, options)
                runs.append((threads, contender.name, seconds, training, result))
                if options.results:
                    with open(options.results, "w", encoding="utf-8") as out:
                        json.dump(runs, out)
                print(f"# {contender.name}, {threads} threads, seed {seed}: {seconds:.1f} s, "
                      + ", ".join(f"{name} {score:.3f}" for name, (score, _) in result.items()), flush=True)


def print_tables(runs, options):
    results = {}
    for threads, name, *run_of in runs:
        results.setdefault((threads, name), []).append(run_of)
    print(f"\n{options.count} words, {options.epochs} epochs\n")
    print("| threads | | seconds in all | words/s in all | words/s training |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for (threads, name), runs in results.items():
        whole = statistics.median(r[0] for r in runs)
        training = statistics.median(r[1] for r in runs)
        print(f"| {threads} | {name} | {whole:.1f} | {options.trained / whole:,.0f} | {options.trained / training:,.0f} |")
    sets = next(iter(results.values()))[0][2]
    print("\n| threads | | " + " | ".join(sets) + " | mean |")
    print("| ---: | --- | " + " | ".join("---:" for _ in sets) + " | ---: |")
    for (threads, name), runs in results.items():
        cells, means = [], []
        for test in sets:
            of_seeds = [100 * r[2][test][0] for r in runs]
            means.append(statistics.mean(of_seeds))
            spread = statistics.stdev(of_seeds) if len(of_seeds) > 1 else 0
            cells.append(f"{means[-1]:.1f} ± {spread:.1f}")
        print(f"| {threads} | {name} | " + " | ".join(cells) + f" | {statistics.mean(means):.1f} |")
    print("\npairs and questions that have vectors: " + ", ".join(f"{name} {100 * share:.0f}%" for name, (_, share) in sets.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--similarity", help="directory of EN-*.txt: word, word, judgement")
    parser.add_argument("--analogies", nargs="*", default=[], metavar="FILE", help="files of questions, Google's format")
    parser.add_argument("--dictionary", action="store_true", help="words by ICU's dictionary, for Chinese")
    parser.add_argument("--work", required=True, help="directory for the words and the vectors")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--results", help="JSON file of runs, which are added to; the tables are of all in it")
    parser.add_argument("--ngrams", action="store_true", help="fasttext with its default n-grams too")
    parser.add_argument("--only", help="this contender alone")
    for name, default in (("dim", 100), ("window", 5), ("negative", 5), ("epochs", 5), ("min-count", 5)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--sample", type=float, default=1e-4)
    parser.add_argument("texts", nargs="+")
    options = parser.parse_args()
    if not options.similarity and not options.analogies:
        parser.error("--similarity or --analogies is needed")
    if options.similarity and not glob.glob(os.path.join(options.similarity, "EN-*.txt")):
        parser.error(f"no EN-*.txt in {options.similarity}")
    os.makedirs(options.work, exist_ok=True)
    options.words = os.path.join(options.work, "words.txt")
    make_words(options.texts, options.words, dictionary_words() if options.dictionary else WORD.findall)
    options.count = count_words(options)
    options.trained = options.count * options.epochs
    contenders = [Glassgpt(options), FastText(options)] + ([FastText(options, True)] if options.ngrams else [])
    if options.only:
        contenders = [c for c in contenders if c.name == options.only]
    runs = []
    if options.results and os.path.exists(options.results):
        with open(options.results, encoding="utf-8") as file:
            runs = json.load(file)
    measure(contenders, runs, options)
    print_tables(runs, options)


if __name__ == "__main__":
    main()
