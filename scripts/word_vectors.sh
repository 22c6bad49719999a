#!/usr/bin/env bash
# Trains weights/words/en.bin and zh.bin, the word vectors that come with the program, as weights/words/README.md says.
#   scripts/word_vectors.sh DIRECTORY        # for example weights/words
# The corpora are found by GLASSGPT_SHARED (default: ../shared beside the project), the program by GLASSGPT (default: the build's).
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: scripts/word_vectors.sh DIRECTORY}
corpus=${GLASSGPT_SHARED:-$project/../shared}/data/corpus
glassgpt=${GLASSGPT:-$project/build/bin/glassgpt}
[ -d "$corpus" ] || { echo "word_vectors.sh: no corpora in $corpus; set GLASSGPT_SHARED" >&2; exit 1; }
mkdir -p "$out"

same=(--dim 64 --seed 1 --keep 5000 --binary)
"$glassgpt" word2vec "${same[@]}" --epochs 5 -o "$out/en.bin" "$corpus"/en/*.txt
# Without the classic novels: they are half of the Chinese text, and in them 东京 is Kaifeng and a 老师 a monk.
"$glassgpt" word2vec "${same[@]}" --epochs 30 -o "$out/zh.bin" "$corpus"/zh/wikipedia-passages-cmrc-drcd-xquad.txt \
  "$corpus"/zh/common-voice-zh-sentences.txt "$corpus"/zh/ud-chinese-sentences.txt "$corpus"/zh/howtocook-recipes.txt \
  "$corpus"/zh/luxun-works.txt
