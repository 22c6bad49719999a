#!/usr/bin/env python3
"""Runs the commands of README.md and README.zh-CN.md and puts their real output below them.

Each block fenced as ```console holds lines "$ command" and what they print. The commands run in the project's
folder, with build/bin first in PATH, one after the other in one scratch copy of the working directory's
environment. "```console lines=12" keeps the first 12 lines of each output and ends the rest with "...".
A command that several pages have runs once, so that all show the same. The pages must have the same blocks: they
say the same in their languages.

usage: scripts/update_readme.py [--check] [README.md...]
  --check  changes nothing; fails if a command fails
  --same   runs nothing; fails unless all pages have the same commands
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("README.md", "README.zh-CN.md")


def run(command, limit):
    env = dict(os.environ, PATH=f"{ROOT}/build/bin:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n") if done.stdout else []
    lines = [line.replace(str(ROOT) + "/", "") for line in lines]
    if limit and len(lines) > limit:
        lines = lines[:limit] + ["..."]
    return done.returncode, lines


def blocks(text):
    """The console blocks of a page, fences included."""
    found, lines = [], iter(text.split("\n"))
    for line in lines:
        if line.startswith("```console"):
            block = [line]
            for inside in lines:
                block.append(inside)
                if inside.startswith("```"):
                    break
            found.append(block)
    return found


def commands(block):
    return [block[0]] + [line for line in block if line.startswith("$ ")]


def update(text, known):
    """`known` has the outputs of this run's commands by fence and place: a command may stand twice in a page."""
    out, failures = [], []
    lines, number = iter(text.split("\n")), 0
    for line in lines:
        out.append(line)
        if not line.startswith("```console"):
            continue
        limit = next((int(word[6:]) for word in line.split() if word.startswith("lines=")), 0)
        for inside in lines:
            if inside.startswith("$ "):
                out.append(inside)
                number += 1
                key = (number, inside, limit)
                if key not in known:
                    known[key] = run(inside[2:], limit)
                    if known[key][0] != 0:
                        failures.append((inside[2:], known[key][0]))
                out.extend(known[key][1])
            if inside.startswith("```"):
                out.append(inside)
                break
    return "\n".join(out), failures


def difference(pages):
    """Says where a page's commands are not those of the first page."""
    first = [commands(block) for block in blocks(pages[0].read_text(encoding="utf-8"))]
    for page in pages[1:]:
        other = [commands(block) for block in blocks(page.read_text(encoding="utf-8"))]
        for ours, theirs in zip(first, other):
            if ours != theirs:
                where = next((line for line, their_line in zip(ours, theirs) if line != their_line), ours[-1])
                return f"{page.name}: not the block of {pages[0].name}: {where}"
        if len(first) != len(other):
            return f"{page.name}: {len(other)} blocks, {pages[0].name} has {len(first)}"
    return None


def main():
    arguments = sys.argv[1:]
    check, same = "--check" in arguments, "--same" in arguments
    names = [a for a in arguments if not a.startswith("--")]
    pages = [pathlib.Path(name) for name in names] or [ROOT / name for name in PAGES]
    problem = difference(pages)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    if same:
        return 0
    failed, known = False, {}
    for path in pages:
        text, failures = update(path.read_text(encoding="utf-8"), known)
        for command, code in failures:
            print(f"{path.name}: exit code {code}: {command}", file=sys.stderr)
            failed = True
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
