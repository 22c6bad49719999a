"""The line protocol between forward.py and the peers: see bench/forward_bench.cpp."""

import json
import sys
import time


def serve(name, detail, prepare, layers):
    """`prepare(T)` returns a pass over the first T ids as a function without arguments, `layers(T)`
    an array [L + 2, T, C]. Requests come on standard input, replies go to standard output."""
    print(json.dumps({"ready": name, "detail": detail}), flush=True)
    passes = {}
    for request in sys.stdin:
        verb, tokens, argument = request.split()
        tokens = int(tokens)
        if verb == "layers":
            layers(tokens).astype("<f4").tofile(argument)
            reply = {"tokens": tokens, "file": argument}
        elif verb == "time":
            if tokens not in passes:
                passes[tokens] = prepare(tokens)
            reply = {"tokens": tokens, "ms": timed(passes[tokens], int(argument))}
        else:
            sys.exit(f"{name}: there is no request '{verb}'")
        print(json.dumps(reply), flush=True)


def timed(run, passes):
    run()
    ms = []
    for _ in range(passes):
        begin = time.perf_counter()
        run()
        ms.append(1000.0 * (time.perf_counter() - begin))
    return ms


def read_ids(file):
    with open(file, encoding="ascii") as text:
        return [int(word) for word in text.read().split()]
