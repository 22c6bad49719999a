#!/usr/bin/env bash
# How much of the bare forward pass's speed `embed` keeps while it reads a corpus and writes every layer: tokens per second of both, and the share.
#
# The bare pass is `glassgpt profile --tokens T`: its median over passes of T tokens that hand out all layers, T the model's context. The corpus is
# made of texts that are cut to T tokens, so both do the same work; embed also reads, tokenizes, packs batches, writes npy files with checkpoints,
# and waits for the disk at the end. Loading the model is in neither.
#
# usage: bench/embed_speed.sh PROGRAM MODEL_DIRECTORY T TEXTS FOLDER [embed options]     (FOLDER is made, and holds the result afterwards)
set -euo pipefail

if [ $# -lt 5 ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 2
fi
program=$1 model=$2 tokens=$3 texts=$4 folder=$5
shift 5
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$folder"
words=$(tr -s '[:space:]' ' ' <"$root/README.md")
for ((i = 0; i < texts; ++i)); do printf '%d %s\n' "$i" "${words:((i * 37 % 2000)):$((tokens * 8))}"; done >"$folder/texts.txt"

bare() { "$program" profile -m "$model" --tokens "$tokens" --repeat 15 --json -q | sed -E 's/.*"median_ms":([0-9.]+).*/\1/'; }
before=$(bare)
line=$("$program" embed -m "$model" --layers all --truncate right --input "$folder/texts.txt" -o "$folder/vectors" "$@" 2>&1 >/dev/null | tail -n 1)
after=$(bare)
echo "$line"
awk -v before="$before" -v after="$after" -v tokens="$tokens" -v line="$line" 'BEGIN {
  match(line, /[0-9]+ tokens/); count = substr(line, RSTART, RLENGTH) + 0
  match(line, /[0-9.]+ s,/); seconds = substr(line, RSTART, RLENGTH) + 0
  bare = tokens / ((before + after) / 2 / 1000)
  printf "bare forward pass: %.0f tokens/s (%.2f ms before, %.2f ms after)\n", bare, before, after
  printf "embed:             %.0f tokens/s, %.1f%%\n", count / seconds, 100 * count / seconds / bare
}'
