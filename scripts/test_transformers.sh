#!/usr/bin/env bash
# Holds models that glassgpt saved against the genuine Transformers: it loads them and must compute the same hidden states in every layer. Makes a
# virtual environment on Debian's python3-torch with PyPI's transformers, unless it is there, and runs the tests that need one.
#
# usage: scripts/test_transformers.sh [VENV] [BUILD]     (defaults: build/transformers-venv, build)
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${1:-$root/build/transformers-venv}
build=${2:-$root/build}
. "$root/scripts/packages.sh"

need_packages "${build_packages[@]}" libgtest-dev python3-torch python3-venv
if [ ! -x "$venv/bin/python" ]; then
  /usr/bin/python3 -m venv --system-site-packages "$venv"
fi
# The last versions that work with Debian 12's torch 1.13.
"$venv/bin/python" -c 'import transformers, safetensors' 2>/dev/null ||
  "$venv/bin/pip" install --quiet 'transformers==4.40.2' 'safetensors>=0.4'
"$venv/bin/python" -c 'import torch, transformers; print("transformers", transformers.__version__, "torch", torch.__version__)'

configure "$build" -DCMAKE_BUILD_TYPE=Release
cmake --build "$build" --parallel "$(nproc)" --target model_test
GLASSGPT_TRANSFORMERS_PYTHON=$venv/bin/python ctest --test-dir "$build" --output-on-failure --no-tests=error -R 'Transformers'
