#!/usr/bin/env bash
# How much of the bare forward pass's speed `embed` keeps while it reads a corpus and writes every layer: tokens per second of both, and the share.
#
# The bare pass is `glassgpt profile --tokens T`: its median over passes of T tokens that hand out all layers, T the model's context. The corpus is
# made of texts that are cut to T tokens, so both do the same work; embed also reads, tokenizes, packs batches, writes npy files with checkpoints,
# and waits for the disk at the end. Loading the model is in neither. Both run in turns, seven times, and the medians are compared: a shared machine's
# speed changes from one second to the next.
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
rm -f "$folder/bare.ms" "$folder/embed.s"
words=$(tr -s '[:space:]' ' ' <"$root/README.md")
for ((i = 0; i < texts; ++i)); do printf '%d %s\n' "$i" "${words:((i * 37 % 2000)):$((tokens * 8))}"; done >"$folder/texts.txt"

rounds=7
median() { sort -n | awk '{x[NR] = $1} END {print (x[int((NR + 1) / 2)] + x[int((NR + 2) / 2)]) / 2}'; }
bare() { "$program" profile -m "$model" --tokens "$tokens" --repeat 50 --json -q | sed -E 's/.*"median_ms":([0-9.]+).*/\1/'; }
for ((round = 0; round < rounds; ++round)); do
  bare >>"$folder/bare.ms"
  line=$("$program" embed -m "$model" --layers all --truncate right --input "$folder/texts.txt" -o "$folder/vectors" "$@" 2>&1 >/dev/null | tail -n 1)
  sed -E 's/.* ([0-9.]+) s,.*/\1/' <<<"$line" >>"$folder/embed.s"
done
echo "$line"
awk -v bare_ms="$(median <"$folder/bare.ms")" -v seconds="$(median <"$folder/embed.s")" -v tokens="$tokens" -v line="$line" 'BEGIN {
  match(line, /[0-9]+ tokens/); count = substr(line, RSTART, RLENGTH) + 0
  bare = tokens / (bare_ms / 1000)
  printf "bare forward pass: %.0f tokens/s (%.2f ms)\n", bare, bare_ms
  printf "embed:             %.0f tokens/s, %.1f%%\n", count / seconds, 100 * count / seconds / bare
}'
rm -f "$folder/bare.ms" "$folder/embed.s"
