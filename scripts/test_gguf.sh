#!/usr/bin/env bash
# Holds the GGUF files of `glassgpt export` and `import` against the genuine package of llama.cpp's authors: it must read ours, and we its. Makes a
# virtual environment with PyPI's gguf, unless it is there, and runs the tests that need one.
#
# usage: scripts/test_gguf.sh [VENV] [BUILD]     (defaults: build/gguf-venv, build)
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${1:-$root/build/gguf-venv}
build=${2:-$root/build}
. "$root/scripts/packages.sh"

need_packages "${build_packages[@]}" libgtest-dev python3-venv
if [ ! -x "$venv/bin/python" ]; then
  /usr/bin/python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import gguf' 2>/dev/null || "$venv/bin/pip" install --quiet 'gguf>=0.17'

configure "$build" -DCMAKE_BUILD_TYPE=Release
cmake --build "$build" --parallel "$(nproc)" --target cli_test
GLASSGPT_GGUF_PYTHON=$venv/bin/python ctest --test-dir "$build" --output-on-failure --no-tests=error -R 'GenuineGgufPackage'
