#!/usr/bin/env python3
"""Runs the commands of README.md and puts their real output below them.

Each block fenced as ```console holds lines "$ command" and what they print. The commands run in the project's
folder, with build/bin first in PATH, one after the other in one scratch copy of the working directory's
environment. "```console lines=12" keeps the first 12 lines of each output and ends the rest with "...".

usage: scripts/update_readme.py [--check] [README.md...]
  --check  changes nothing; fails if a command fails
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(command, limit):
    env = dict(os.environ, PATH=f"{ROOT}/build/bin:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n") if done.stdout else []
    lines = [line.replace(str(ROOT) + "/", "") for line in lines]
    if limit and len(lines) > limit:
        lines = lines[:limit] + ["..."]
    return done.returncode, lines


def update(text):
    out, failures = [], []
    lines = iter(text.split("\n"))
    for line in lines:
        out.append(line)
        if not line.startswith("```console"):
            continue
        limit = next((int(word[6:]) for word in line.split() if word.startswith("lines=")), 0)
        for inside in lines:
            if inside.startswith("$ "):
                out.append(inside)
                code, printed = run(inside[2:], limit)
                out.extend(printed)
                if code != 0:
                    failures.append((inside[2:], code))
            if inside.startswith("```"):
                out.append(inside)
                break
    return "\n".join(out), failures


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    files = [a for a in arguments if a != "--check"] or [str(ROOT / "README.md")]
    failed = False
    for name in files:
        path = pathlib.Path(name)
        text, failures = update(path.read_text(encoding="utf-8"))
        for command, code in failures:
            print(f"{name}: exit code {code}: {command}", file=sys.stderr)
            failed = True
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
