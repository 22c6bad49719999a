"""Compares forward passes that hand out the hidden states of all layers: see README.md.

Run by forward.sh, which makes what this needs. Every contender is a process of its own that keeps its model
and answers requests (worker.py); they take turns, so that a noisy machine is noisy for all of them.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import machine
import model_files
import reference

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = "glassgpt f32"
# The largest error of any value of any layer, relative to that layer's largest value, that is still timed.
# llama.cpp's float32 looks GELU up in a float16 table; bfloat16 has 8 significant bits.
BOUNDS = {"f32": 1e-4, "llama.cpp f32": 1e-3, "bf16": 3e-2}


def contenders(options):
    """Name, data type and command of everything that could take part, ours first."""
    script = [sys.executable]
    common = [options.model, options.ids, str(options.threads)]
    ours = [os.path.join(options.build, "bin", "glassgpt_forward_bench"), *common]
    # PyTorch's OpenMP threads would otherwise spin on the cores that OpenBLAS's own threads need.
    torch = ["env", "OMP_WAIT_POLICY=passive", "/usr/bin/python3"]
    found = [
        (OURS, "f32", [*ours, "f32"]),
        ("glassgpt bf16", "bf16", [*ours, "bf16"]),
        ("ONNX Runtime f32", "f32", [*script, f"{HERE}/onnxruntime_worker.py", *common]),
        ("PyTorch f32", "f32", [*torch, f"{HERE}/torch_worker.py", *common]),
    ]
    for dtype in ("f32", "bf16"):
        gguf = os.path.join(options.work, f"{os.path.basename(options.model)}-{dtype}.gguf")
        ids = gguf + ".ids"
        command = [os.path.join(options.work, "llama_cpp_worker"), gguf, ids, str(options.threads)]
        make = [*script, f"{HERE}/gguf_file.py", options.model, options.ids, dtype, gguf, ids]
        found.append((f"llama.cpp {dtype}", dtype, [*command, dtype, options.llama_backends], make))
    return found


class Skipped(Exception):
    """A contender cannot take part; says why."""


class Contender:
    def __init__(self, name, dtype, command, make=None):
        self.name, self.dtype = name, dtype
        self.errors = tempfile.TemporaryFile()
        try:
            if make:
                subprocess.run(make, check=True, stderr=self.errors)
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
            self.process = subprocess.Popen(command, text=True, **pipes)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Skipped(self.last_error() or str(error)) from error
        ready = self.read()
        self.version, self.detail = ready["ready"], ready["detail"]

    def last_error(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise Skipped(self.last_error() or f"ended with {self.process.returncode}")
        return json.loads(line)

    def ask(self, verb, tokens, argument):
        try:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.write(f"{verb} {tokens} {argument}\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Skipped(self.last_error()) from error
        reply = self.read()
        # Threads that spin for more work would take the cores from whoever is next.
        self.process.send_signal(signal.SIGSTOP)
        return reply

    def layers(self, tokens, shape):
        with tempfile.NamedTemporaryFile() as file:
            self.ask("layers", tokens, file.name)
            return np.fromfile(file.name, dtype="<f4").reshape(shape)

    def time(self, tokens, passes):
        return self.ask("time", tokens, passes)["ms"]

    def notes(self):
        self.errors.seek(0)
        return [line.decode(errors="replace").strip() for line in self.errors if b": T=" in line]

    def close(self):
        self.process.kill()
        self.process.wait()


def start(options):
    running, skipped = [], {}
    for name, *rest in contenders(options):
        if options.peers and not any(part in name for part in options.peers.split(",")):
            continue
        try:
            running.append(Contender(name, *rest))
        except Skipped as reason:
            skipped[name] = str(reason)
    return running, skipped


def relative_error(values, expected):
    """The worst layer's largest error, relative to that layer's largest value."""
    if not np.isfinite(values).all():
        return float("inf")
    error = np.abs(values - expected).max(axis=(1, 2))
    return float((error / np.abs(expected).max(axis=(1, 2))).max())


def check(running, skipped, tokens, expected):
    """Errors against double precision by name; whoever disagrees is out."""
    errors = {}
    for one in list(running):
        bound = BOUNDS.get(one.name, BOUNDS[one.dtype])
        try:
            errors[one.name] = relative_error(one.layers(tokens, expected.shape), expected)
            if errors[one.name] <= bound:
                continue
            reason = f"off by {errors[one.name]:.1e} at T={tokens}, allowed {bound:.0e}: not timed"
        except (Skipped, ValueError) as error:
            reason = str(error)
        drop(one, reason, running, skipped)
    return errors


def drop(one, reason, running, skipped):
    skipped[one.name] = reason
    running.remove(one)
    one.close()


def measure(running, skipped, tokens, rounds, turn_ms):
    """Medians in ms by name, over the passes of all rounds."""
    samples, passes = {one.name: [] for one in running}, {}
    # The trial turn, which tells how many passes fill a turn, does not count.
    for turn in range(rounds + 1):
        for one in list(running if turn % 2 == 0 else running[::-1]):
            try:
                ms = one.time(tokens, passes.get(one.name, 1))
            except Skipped as reason:
                drop(one, f"{reason} (at T={tokens})", running, skipped)
                continue
            if turn == 0:
                passes[one.name] = max(1, min(30, int(turn_ms / min(ms))))
            else:
                samples[one.name] += ms
    return {
        name: {"median_ms": statistics.median(ms), "fastest_ms": min(ms), "passes": len(ms)}
        for name, ms in samples.items()
        if ms
    }


def compare(options, running, skipped, lengths, expected):
    report = {
        "model": os.path.basename(options.model),
        "cpu": machine.cpu_name(),
        "threads": options.threads,
        "contenders": {one.name: {"version": one.version, "detail": one.detail} for one in running},
        "rows": [],
        "skipped": skipped,
    }
    for tokens in lengths:
        # A causal model's first T rows are those of the longer text.
        errors = check(running, skipped, tokens, expected[:, :tokens])
        times = measure(running, skipped, tokens, options.rounds, options.turn_ms)
        report["rows"].append({"tokens": tokens, "errors": errors, "times": times})
    report["notes"] = [note for one in running for note in one.notes()]
    return report


def table(rows):
    """Markdown: ms of everybody, and how many times as fast as each peer ours is, type for type."""
    names = list(dict.fromkeys(name for row in rows for name in row["times"]))
    ours = [name for name in names if name.startswith("glassgpt")]
    pairs = [(mine, peer) for mine in ours for peer in names if peer not in ours and comparable(mine, peer)]
    header = ["T", *(f"{name}, ms" for name in names), *(f"{mine} vs {peer}" for mine, peer in pairs)]
    lines = ["| " + " | ".join(header) + " |", "| ---: " * len(header) + "|"]
    for row in rows:
        ms = {name: entry["median_ms"] for name, entry in row["times"].items()}
        cells = [str(row["tokens"]), *(f"{ms[name]:.2f}" if name in ms else "" for name in names)]
        for mine, peer in pairs:
            both = mine in ms and peer in ms
            cells.append(f"{ms[peer] / ms[mine]:.2f}x" if both else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def comparable(mine, peer):
    """Type for type; ours in bf16 also against the float32 that its users would leave."""
    return mine.split()[-1] == peer.split()[-1] or (mine.endswith("bf16") and "ONNX" in peer)


def write_ids(file, vocabulary, count):
    """Random ids out of 256, so that llama.cpp's output matrix can be small (gguf_file.py)."""
    pick = random.Random(7)
    pool = pick.sample(range(vocabulary), min(256, vocabulary))
    with open(file, "w", encoding="ascii") as out:
        print(*(pick.choice(pool) for _ in range(count)), file=out)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="model directory with float32 weights")
    parser.add_argument("--build", help="build folder that has bin/glassgpt_forward_bench")
    parser.add_argument("--work", help="folder for what is made here")
    parser.add_argument("--show", nargs="+", help="only print the table of these JSON files")
    parser.add_argument("--llama-backends", default="", help="folder of llama.cpp's CPU backends")
    parser.add_argument("--tokens", default="1,16,64,128,512,1024")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="", help="parts of names, to run only those")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn-ms", type=float, default=300.0, help="aimed length of one turn")
    parser.add_argument("--json", help="file for the results")
    return parser.parse_args()


def run(options):
    options.model = os.path.abspath(options.model)
    options.ids = os.path.join(options.work, f"{os.path.basename(options.model)}.ids")
    lengths = [int(word) for word in options.tokens.split(",")]
    config, _ = model_files.read_model(options.model)
    write_ids(options.ids, config["vocab_size"], config["n_positions"])
    with open(options.ids, encoding="ascii") as file:
        ids = [int(word) for word in file.read().split()][: max(lengths)]

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("forward.py: ended by a signal"))
    running, skipped = start(options)
    try:
        return compare(options, running, skipped, lengths, reference.layers(options.model, ids))
    finally:
        for one in running:
            one.close()


def read_report(file):
    with open(file, encoding="utf-8") as text:
        return json.load(text)


def show(reports):
    """One table of the runs of one model."""
    first = reports[0]
    rows = [row for report in reports for row in report["rows"]]
    print(f"{first['model']}, {first['threads']} threads, {first['cpu']}\n\n{table(rows)}")
    for name, one in first["contenders"].items():
        print(f"\n{name}: {one['version']}, {one['detail']}")
    for name, reason in {k: v for report in reports for k, v in report["skipped"].items()}.items():
        print(f"\n{name}: skipped: {reason}")


def main():
    options = parse()
    if options.show:
        show([read_report(file) for file in options.show])
        return
    report = run(options)
    if options.json:
        with open(options.json + ".part", "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
        os.rename(options.json + ".part", options.json)
    show([report])


main()
