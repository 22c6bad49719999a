#!/usr/bin/env bash
# From a fresh Debian 12 (as root or with sudo) to vectors of every layer: installs what the build needs, builds glassgpt, embeds an
# English and a Chinese sentence with the bundled weights. Run again, it only does what is missing.
#
# usage: scripts/quickstart.sh [DIRECTORY]     (default: ./glassgpt-vectors)
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
vectors=${1:-glassgpt-vectors}
. "$root/scripts/packages.sh"

need_packages "${build_packages[@]}"
if [ -f "$root/build/CMakeCache.txt" ]; then
  configure "$root/build"
else
  configure "$root/build" -DCMAKE_BUILD_TYPE=Release -DGLASSGPT_BUILD_TESTS=OFF -DGLASSGPT_BUILD_BENCHMARKS=OFF
fi
cmake --build "$root/build" --parallel "$(nproc)" --target glassgpt

glassgpt=$root/build/bin/glassgpt
english="She sat on the river bank and watched the boats go by."
chinese="她坐在河边，看着船只驶过。"

echo
echo "Each token's vector in every layer, from the sum of token and position (layer 0) to the last layer norm (final):"
echo
"$glassgpt" embed --layers all "$english" "$chinese"
"$glassgpt" embed --layers all --format npy -o "$vectors" "$english" "$chinese"
echo
echo "The same vectors as numbers, for numpy.load:"
ls -l "$vectors"
echo
echo "They are in $(cd "$vectors" && pwd): an array [tokens, width] per layer, and rows.jsonl, which says whose row is whose."
echo "Next: $glassgpt --help"
