#!/usr/bin/env bash
# Forward passes of glassgpt beside ONNX Runtime, PyTorch and llama.cpp: see README.md. Everything is made in build-peers/, once.
#
# usage: bench/peers/forward.sh            the whole comparison
#        bench/peers/forward.sh setup      only what it needs
# environment: GLASSGPT_BUILD   a build folder to use instead of an own one
#              GLASSGPT_SHARED  where data/tokenizer is (default ../shared); without it the model has no tokenizer
#              PEERS_DIR        instead of build-peers/
#              RUN_UNDER        a command that each measurement is run under, for example `taskset -c 0,1`
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
shared=${GLASSGPT_SHARED:-$root/../shared}
work=${PEERS_DIR:-$root/build-peers}
build=${GLASSGPT_BUILD:-$work/glassgpt}
model=$work/gpt2-124m
mkdir -p "$work"

make_ours() {
  [ -f "$build/CMakeCache.txt" ] ||
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DGLASSGPT_BUILD_TESTS=OFF
  cmake --build "$build" --parallel 2 --target glassgpt_forward_bench
}

make_python() {
  [ -x "$work/venv/bin/python" ] || /usr/bin/python3 -m venv "$work/venv"
  "$work/venv/bin/python" -c 'import numpy, onnx, onnxruntime, gguf' 2>/dev/null ||
    "$work/venv/bin/pip" install --quiet numpy onnx onnxruntime gguf
}

# The package has the CPU libraries of a release of llama.cpp; its headers are in the bundle of sources that comes along.
make_llama_cpp() {
  local npm=$work/npm backends source release=node_modules/node-llama-cpp/llama/gitRelease.bundle
  mkdir -p "$npm"
  [ -f "$npm/$release" ] || (cd "$npm" && { [ -f package.json ] || echo '{"private": true}' >package.json; } &&
    npm install --ignore-scripts --omit=optional --no-audit --no-fund node-llama-cpp @node-llama-cpp/linux-x64) || return 1
  backends=$npm/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64
  source=$work/llama.cpp
  [ -d "$source/include" ] || git -c advice.detachedHead=false clone --quiet "$npm/$release" "$source" || return 1
  [ "$work/llama_cpp_worker" -nt "$here/llama_cpp_worker.cpp" ] ||
    "${CXX:-c++}" -std=c++20 -O2 -I"$source/include" -I"$source/ggml/include" "$here/llama_cpp_worker.cpp" \
      -o "$work/llama_cpp_worker" "$backends"/libllama.v*.so "$backends"/libggml.v*.so "$backends"/libggml-base.so \
      -Wl,-rpath,"$backends"
}

measure() {
  local directory=$1 tokens=$2
  shift 2
  ${RUN_UNDER:-} "$work/venv/bin/python" "$here/forward.py" --model "$directory" --build "$build" --work "$work" \
    --llama-backends "$work/npm/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64" \
    --tokens "$tokens" --json "$work/$(basename "$directory")-${tokens//,/-}.json" "$@" >/dev/null
}

make_ours
make_python
make_llama_cpp || echo "llama.cpp cannot be had; its rows will say so" >&2
"$work/venv/bin/python" "$here/model_files.py" "$model" "$shared/data/tokenizer"
[ "${1:-}" = setup ] && exit 0

# Group by group, so that one measurement stays short.
measure "$model" 1,16,64 --rounds 5
measure "$model" 128,512 --rounds 5
measure "$model" 1024 --rounds 2 --turn-ms 100
measure "$root/weights/mini" 64,256 --rounds 9
show=("$work/venv/bin/python" "$here/forward.py" --show)
"${show[@]}" "$work"/gpt2-124m-{1-16-64,128-512,1024}.json
echo
"${show[@]}" "$work/mini-64-256.json"
