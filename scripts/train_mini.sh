#!/usr/bin/env bash
# Trains the bundled models, weights/mini (sinusoidal positions) and weights/mini-learned (learned ones), as their MODEL_CARD.md
# say: the tokenizer first, then each model in two runs, the second from the first's weights: 13.1 and 17.0 million tokens. Stopped or
# killed at any moment, the same command goes on where it was; what is finished is left alone. The models are
# RUN_DIRECTORY/sinusoidal-second and RUN_DIRECTORY/learned-second.
#   scripts/train_mini.sh RUN_DIRECTORY [sinusoidal|learned|both]
# The corpora are found by GLASSGPT_SHARED (default: ../shared beside the project), the program by GLASSGPT (default: the build's).
# FIRST_STEPS (default 3200, of 4096 tokens) and SECOND_STEPS (default 4150) must be the same whenever a run goes on; DTYPE (default f32)
# may be bf16, which is faster with AMX.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
run=${1:?usage: scripts/train_mini.sh RUN_DIRECTORY [sinusoidal|learned|both]}
which=${2:-both}
corpus=${GLASSGPT_SHARED:-$project/../shared}/data/corpus
glassgpt=${GLASSGPT:-$project/build/bin/glassgpt}
dtype=${DTYPE:-f32}
[ -d "$corpus" ] || { echo "train_mini.sh: no corpora in $corpus; set GLASSGPT_SHARED" >&2; exit 1; }
mkdir -p "$run"

# A vocabulary for both languages: all Chinese text and about twice as many bytes of English.
if [ ! -f "$run/tokenizer/tokenizer.json" ]; then
  "$glassgpt" train-tokenizer --vocab-size 8192 --min-frequency 2 --special '<|endoftext|>' -o "$run/tokenizer" \
    "$corpus"/zh/*.txt "$corpus"/en/wikipedia-schools-2007-1of6.txt "$corpus"/en/openstax-ccby-science.txt \
    "$corpus"/en/children-literature-chilit.txt "$corpus"/en/common-voice-sentences.txt \
    "$corpus"/en/ud-ewt-web-text.txt
fi

# The shape of both: only positions, and the scale that goes with them, differ.
shape() {
  cat <<CONFIG
{
  "model_type": "gpt2",
  "vocab_size": 8192,
  "n_positions": 256,
  "n_embd": 256,
  "n_layer": 6,
  "n_head": 8,
  "activation_function": "gelu_new",
  "position_encoding": "$1",
  "embedding_scale": $2
}
CONFIG
}

# Chinese is an eighth of the bytes; its weights make it about a third of the tokens that are seen. The classic novels are
# half of it and written in an older language, so they count less than the modern texts.
# train_run DIRECTORY, and what differs between the runs
train_run() {
  local directory=$1
  shift
  [ -f "$directory/finished" ] && return
  if [ -f "$directory/training.json" ]; then
    "$glassgpt" train -o "$directory" --resume
  else
    "$glassgpt" train -o "$directory" --resume "$@" \
      --corpus "$corpus/en:1" "$corpus/zh/classic-novels-four.txt:2" "$corpus/zh/late-qing-novels.txt:2" \
      "$corpus/zh/luxun-works.txt:5" "$corpus/zh/common-voice-zh-sentences.txt:5" \
      "$corpus/zh/wikipedia-passages-cmrc-drcd-xquad.txt:6" "$corpus/zh/ud-chinese-sentences.txt:6" \
      "$corpus/zh/howtocook-recipes.txt:4" \
      --valid "$corpus/valid/en-valid.txt" "$corpus/valid/zh-valid.txt" \
      --batch-tokens 4096 --weight-decay 0.1 --clip 1.0 --eval-every 500 --checkpoint-every 100 --snapshots 12 \
      --sample-prompt "The river" --storage f16 --dtype "$dtype"
  fi
  touch "$directory/finished"
}

# The second run sees other windows (its seed differs) and climbs to half the rate only: what the first has learned is not to be shaken off.
# It starts from the first's weights as they are stored, rounded to float16: the bundled models did.
train_model() {
  local name=$1 scale=$2
  shape "$name" "$scale" >"$run/$name.json"
  train_run "$run/$name-first" --tokenizer "$run/tokenizer" --config "$run/$name.json" --steps "${FIRST_STEPS:-3200}" \
    --lr 2e-3 --min-lr 1e-4 --warmup 200 --seed 1
  train_run "$run/$name-second" --init "$run/$name-first" --config "$run/$name.json" --steps "${SECOND_STEPS:-4150}" \
    --lr 1e-3 --min-lr 5e-5 --warmup 100 --seed 2
}

[ "$which" = learned ] || train_model sinusoidal 16
[ "$which" = sinusoidal ] || train_model learned 1
