#!/usr/bin/env python3
"""Exact search among stored vectors: `glassgpt nearest`, numpy, and FAISS's flat index, in turn in one run.

All search the same float32 vectors for the 10 largest cosines of the same queries with the same number of threads. numpy and FAISS get
vectors that were scaled to length 1 beforehand (not timed) and lie in their own memory; glassgpt gets the file as embed wrote it, takes
the lengths on the way, and maps the file anew each time. "numpy, file" starts where glassgpt does: it maps the file by np.load and takes
the lengths, all of it timed. The file is in the system's page cache. Before anything is timed every query's ten rows are compared with double
precision. Needs numpy; FAISS (Debian: python3-faiss) where it can be had. OPENBLAS_CORETYPE tells an old OpenBLAS its CPU.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

THREADS = "2"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, THREADS)

import numpy as np  # noqa: E402: it reads the number of threads when it is loaded

try:
    import faiss
except ImportError:
    faiss = None

TOP = 10


def store(folder, vectors):
    """A folder as embed writes it."""
    os.makedirs(folder, exist_ok=True)
    np.save(os.path.join(folder, "final.npy"), vectors)
    with open(os.path.join(folder, "rows.jsonl"), "w") as rows:
        rows.writelines('{"text":%d,"bytes":[0,1]}\n' % row for row in range(len(vectors)))
    with open(os.path.join(folder, "manifest.json"), "w") as manifest:
        json.dump({"arrays": [{"name": "final", "file": "final.npy", "shape": list(vectors.shape)}]}, manifest)


def glassgpt(program, folder, queries):
    """Rows found, and the seconds of the search."""
    command = [program, "nearest", "--json", "--top", str(TOP), "--threads", THREADS, "--in", folder, "--queries", queries]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [[one["row"] for one in json.loads(line)["nearest"]] for line in run.stdout.splitlines()]
    return np.array(rows), float(re.search(r"([0-9.]+) s$", run.stderr.strip()).group(1))


def best_rows(scores):
    best = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def numpy_search(unit, queries):
    start = time.perf_counter()
    return best_rows(queries @ unit.T), time.perf_counter() - start


def numpy_search_file(file, queries):
    start = time.perf_counter()
    rows = np.load(file, mmap_mode="r")
    scores = queries @ rows.T
    scores /= np.sqrt(np.einsum("rc,rc->r", rows, rows))
    return best_rows(scores), time.perf_counter() - start


def faiss_search(index, queries):
    start = time.perf_counter()
    _, rows = index.search(queries, TOP)
    return rows, time.perf_counter() - start


def check(name, rows, exact):
    """Each row found must be as near as the one of the same rank, as far as float32 can tell."""
    for query, found in enumerate(rows):
        wanted = np.sort(exact[query])[::-1][:TOP]
        assert np.allclose(exact[query][found], wanted, atol=2e-6), f"{name}: query {query} has other neighbours"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", help="is made, for the vectors")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cols", type=int, default=768)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    random = np.random.default_rng(1)
    # A common part, as vectors of language models have.
    vectors = (random.standard_normal((options.rows, options.cols)) + 0.5).astype(np.float32)
    store(options.folder, vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    index = None
    if faiss is not None:
        faiss.omp_set_num_threads(int(THREADS))
        index = faiss.IndexFlatIP(options.cols)
        index.add(unit)
    print(f"numpy {np.__version__}, faiss {faiss.__version__ if faiss else 'not there'}, "
          f"{options.rows} rows of {options.cols}, {THREADS} threads; milliseconds, medians of {options.repeat}")
    for count in options.queries:
        queries = (random.standard_normal((count, options.cols)) + 0.5).astype(np.float32)
        file = os.path.join(options.folder, "queries.npy")
        np.save(file, queries)
        unit_queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        searches = {"glassgpt": lambda: glassgpt(options.program, options.folder, file),
                    "numpy": lambda: numpy_search(unit, unit_queries),
                    "numpy, file": lambda: numpy_search_file(os.path.join(options.folder, "final.npy"), unit_queries)}
        if index is not None:
            searches["faiss"] = lambda: faiss_search(index, unit_queries)
        exact = unit_queries.astype(np.float64) @ unit.T.astype(np.float64)
        for name, search in searches.items():
            check(name, search()[0], exact)
        times = {name: [] for name in searches}
        for _ in range(options.repeat):
            for name, search in searches.items():
                times[name].append(1000 * search()[1])
        print(f"{count:4} queries: " + ", ".join(f"{name} {statistics.median(values):.1f}" for name, values in times.items()))


if __name__ == "__main__":
    sys.exit(main())
