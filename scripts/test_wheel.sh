#!/usr/bin/env bash
# pip install . in a fresh virtual environment, and the Python tests against what was installed. Takes scikit-build-core, pybind11, numpy and pytest from
# the package index.
#
# usage: scripts/test_wheel.sh [PYTHON] [BUILD]     (defaults: /usr/bin/python3; build, whose bin/glassgpt gives the bytes to compare with)
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${1:-/usr/bin/python3}
build=${2:-$root/build}
. "$root/scripts/packages.sh"

need_packages "${build_packages[@]}" python3-dev python3-venv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pytest "$root"
# From elsewhere, so that nothing but the installed package can be imported.
cd "$work"
if [ -x "$build/bin/glassgpt" ]; then
  export GLASSGPT_PROGRAM=$build/bin/glassgpt
fi
"$work/venv/bin/python" -m pytest -q -rs -p no:cacheprovider "$root/tests/python"
