#!/usr/bin/python3
"""Training steps of glassgpt beside PyTorch's: see README.md.

    bench/peers/training.py --build build --text TEXT [--steps 200] [--model mini|124m] [--rounds 3]

Same initial weights, batches, hyper-parameters and threads. First the losses are compared with those of PyTorch in
double precision, then steps are timed in turns, the other side stopped meanwhile. Needs Debian's python3-torch and
python3-numpy.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys

import numpy as np

import machine
import model_files

HERE = os.path.dirname(os.path.abspath(__file__))
MINI = {
    **model_files.GPT2_124M,
    "vocab_size": 8192,
    "n_positions": 256,
    "n_embd": 256,
    "n_layer": 6,
    "n_head": 8,
    "position_encoding": "sinusoidal",
    "embedding_scale": 16.0,
}
# Shape, sequences and tokens of a step, learning rate, steps of warm-up.
SETTINGS = {"mini": (MINI, 16, 256, 1e-3, 50), "124m": (model_files.GPT2_124M, 4, 64, 3e-4, 50)}
# The largest relative difference of a step's loss to that in double precision with which ours is still timed.
ALLOWED = 1e-3


def make_model(config, directory):
    """GPT-2's initialisation; a sinusoidal model's positions are the table, its tokens as large."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    tensors = model_files.random_tensors(config, 1)
    if config.get("position_encoding") == "sinusoidal":
        rows, width = config["n_positions"], config["n_embd"]
        rate = 10000.0 ** (-np.arange(0, width, 2) / width)
        angles = np.arange(rows)[:, None] * rate
        tensors["wpe.weight"][:, 0::2] = np.sin(angles)
        tensors["wpe.weight"][:, 1::2] = np.cos(angles)
        tensors["wte.weight"] *= np.float32(0.5**0.5 / config["embedding_scale"] / 0.02)
    model_files.write_safetensors(tensors, os.path.join(directory, "model.safetensors"))


def make_batches(options, tokenizer, sequences, tokens, file):
    """Windows of the text at random places: [steps, sequences, tokens + 1] ids."""
    command = [os.path.join(options.build, "bin", "glassgpt"), "tokenize", "--ids", "--tokenizer", tokenizer]
    with open(options.text, encoding="utf-8") as text:
        document = " ".join(text.read().split("\n"))
    ids = subprocess.run([*command, "-"], input=document, text=True, capture_output=True, check=True)
    ids = np.array(ids.stdout.split(), dtype="<u4")
    random = np.random.default_rng(7)
    starts = random.integers(0, len(ids) - tokens - 1, (options.steps, sequences, 1))
    ids[starts + np.arange(tokens + 1)].tofile(file)


class Contender:
    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
        )
        self.version = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"training.py: {self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, request):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        reply = self.read()
        # Threads that spin for more work would take the other's cores.
        self.process.send_signal(signal.SIGSTOP)
        return reply

    def close(self):
        self.process.kill()
        self.process.wait()


def start(options, arguments):
    ours = [os.path.join(options.build, "bin", "glassgpt_train_bench"), *arguments]
    torch = ["/usr/bin/python3", os.path.join(HERE, "train_torch_worker.py"), *arguments]
    # PyTorch's OpenMP threads would otherwise spin on the cores that OpenBLAS's own threads need.
    environment = {"OMP_WAIT_POLICY": options.wait_policy, "OPENBLAS_NUM_THREADS": str(options.threads)}
    if options.openblas_core:
        environment["OPENBLAS_CORETYPE"] = options.openblas_core
    return (
        Contender("glassgpt", ours, {}),
        Contender("PyTorch", torch, environment),
        Contender("PyTorch float64", [*torch, "float64"], environment),
    )


def report(options, sequences, tokens, ours, torch, oracle):
    """What both sides' losses differ from the oracle's by, relative, the worst step; and the times, if ours may be timed."""
    curves = {one.name: np.array(one.ask(f"train {options.steps}")["losses"]) for one in (ours, torch, oracle)}
    oracle.close()
    differences = {
        one.name: float(np.abs(curves[one.name] / curves[oracle.name] - 1).max()) for one in (ours, torch)
    }
    result = {
        "model": options.model,
        "steps": options.steps,
        "sequences": sequences,
        "tokens": tokens,
        "first_and_last_loss": {name: [float(curve[0]), float(curve[-1])] for name, curve in curves.items()},
        "largest_relative_difference": differences,
        "cpu": machine.cpu_name(),
    }
    if not differences[ours.name] <= ALLOWED:
        return result
    ms = {one.name: [] for one in (ours, torch)}
    for _ in range(options.rounds):
        # The first step of a turn finds the caches full of the other side's.
        ms["glassgpt"] += ours.ask(f"train {options.turn * 5}")["ms"][1:]
        ms["PyTorch"] += torch.ask(f"train {options.turn}")["ms"][1:]
    for name, values in ms.items():
        median = statistics.median(values)
        result[name] = {"median_ms": median, "tokens_per_second": 1000 * sequences * tokens / median}
    result["times_as_fast"] = result["PyTorch"]["median_ms"] / result["glassgpt"]["median_ms"]
    result["stages"] = ours.ask(f"profile {options.turn * 3}")["stages"]
    return result


def show(result):
    print(f"{result['model']}: losses of {result['steps']} steps of {result['sequences']} x {result['tokens']} tokens, "
          "relative to PyTorch in float64, the worst step: "
          + ", ".join(f"{name} {value:.1e}" for name, value in result["largest_relative_difference"].items()))
    if "times_as_fast" not in result:
        print(f"more than {ALLOWED:.0e}: not timed")
        return
    for name in ("glassgpt", "PyTorch"):
        one = result[name]
        print(f"{name}: {one['median_ms']:.0f} ms a step, {one['tokens_per_second']:.0f} tokens/s")
    print(f"glassgpt is {result['times_as_fast']:.2f} times as fast\n\n| stage | ms | GFLOP/s |\n| --- | --- | --- |")
    for stage in result["stages"]:
        rate = f"{1e-6 * stage['flops'] / stage['ms']:.0f}" if stage["flops"] else ""
        print(f"| {stage['name']} | {stage['ms']:.1f} | {rate} |")
    total = sum(stage["ms"] for stage in result["stages"])
    flops = sum(stage["flops"] for stage in result["stages"])
    print(f"| all | {total:.1f} | {1e-6 * flops / total:.0f} |")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder")
    parser.add_argument("--work", default="build-peers/training", help="folder for what is made here")
    parser.add_argument("--text", required=True, help="a text of some megabytes to learn from")
    parser.add_argument("--tokenizer", required=True, help="tokenizer directory with at most the model's vocabulary")
    parser.add_argument("--model", choices=SETTINGS, default="mini")
    parser.add_argument("--steps", type=int, default=200, help="whose losses are compared first")
    parser.add_argument("--sequences", type=int, help="of a step, instead of the setting's: for long comparisons of losses")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn", type=int, default=3,
                        help="PyTorch's steps in a turn, of which the first is not counted; ours are five times as many")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--openblas-core", default="", help="OPENBLAS_CORETYPE for PyTorch, where it takes the wrong one")
    parser.add_argument("--wait-policy", default="passive")
    parser.add_argument("--json", help="file for the results")
    options = parser.parse_args()
    if options.turn < 2:
        parser.error(f"--turn is {options.turn}, expected 2 or more: the first step of a turn is not counted")
    return options


def main():
    options = parse()
    config, sequences, tokens, rate, warmup = SETTINGS[options.model]
    sequences = options.sequences or sequences
    directory = os.path.join(options.work, options.model)
    make_model(config, directory)
    batches = os.path.join(options.work, f"{options.model}.ids")
    make_batches(options, options.tokenizer, sequences, tokens, batches)
    numbers = [str(n) for n in (sequences, tokens, rate, warmup, options.threads)]
    contenders = start(options, [directory, batches, *numbers])
    try:
        result = report(options, sequences, tokens, *contenders)
    finally:
        for one in contenders:
            one.close()
    show(result)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    if "times_as_fast" not in result:
        sys.exit(1)


main()
