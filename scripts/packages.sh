# Sourced by the other scripts: need_packages NAME... installs those of Debian's packages that are missing.

need_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system; these packages, or their like, must be there: $*"
    return 0
  fi
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Needs root or sudo to install: ${missing[*]}" >&2
      return 1
    fi
    root=(sudo)
  fi
  echo "Installing from Debian: ${missing[*]}"
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

build_packages=(g++ cmake ninja-build libopenblas-dev libxsimd-dev libcli11-dev nlohmann-json3-dev libfmt-dev libicu-dev)

# configure DIRECTORY OPTIONS...: with Ninja and, if there is one, ccache. A directory that was configured before keeps its generator.
configure() {
  local directory=$1
  shift
  local options=()
  if [ ! -f "$directory/CMakeCache.txt" ]; then
    options+=(-G Ninja)
    if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  fi
  cmake --log-level=WARNING -S "$root" -B "$directory" "${options[@]}" "$@"
}
