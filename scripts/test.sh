#!/usr/bin/env bash
# Every check of glassgpt, from a fresh Debian 12 (as root or with sudo): installs what they need, builds, runs. Ends with the full CTest run
# of the release build; what failed before it is listed above it, and in the exit code.
#
# usage: scripts/test.sh [--quick]     (--quick: without the sanitizers and the search for inputs that break a parser)
set -uo pipefail

quick=false
case "${1:-}" in
  "") ;;
  --quick) quick=true ;;
  *)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
. scripts/packages.sh
jobs=$(nproc)
work=$root/build-ci
release=$work/release
failed=()

stage() {
  local name=$1 begin=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  if "$@"; then
    printf '== %s: done in %d s\n' "$name" $((SECONDS - begin))
  else
    printf '== %s: FAILED after %d s\n' "$name" $((SECONDS - begin))
    failed+=("$name")
    return 1
  fi
}

install_packages() {
  local packages=("${build_packages[@]}" libgtest-dev libbenchmark-dev clang-format-14 clang-tidy-14 libomp-14-dev
    # The Python package, what its tests need, and the libraries that its examples feed.
    python3-dev pybind11-dev python3-numpy python3-pytest mypy python3-pandas python3-sklearn python3-faiss python3-hnswlib)
  # Several processes of one run.
  packages+=(libopenmpi-dev openmpi-bin)
  # The browser in which the walkthrough's page is tested.
  packages+=(chromium chromium-driver python3-selenium)
  # Those that read and are compared with our word vectors.
  packages+=(fasttext python3-gensim)
  # The sanitizers' compiler, its run-time libraries, and the tool that names their addresses.
  $quick || packages+=(clang-14 libclang-rt-14-dev llvm-14)
  need_packages "${packages[@]}"
}

build_release() {
  configure "$release" -DCMAKE_BUILD_TYPE=Release -DGLASSGPT_WERROR=ON -DGLASSGPT_PYTHON=ON -DGLASSGPT_MPI=ON && cmake --build "$release" --parallel "$jobs"
}

our_sources() { find include src kernels tests bench \( -name '*.h' -o -name '*.cpp' \) -print0; }

check_format() {
  our_sources | xargs -0 -P "$jobs" -n 32 clang-format-14 --dry-run --Werror &&
    clang-format-14 --dry-run --Werror src/walkthrough/page/js/*.js
}

# GCC's own options are none of clang's business. isa_entry.cpp is compiled with flags of its own and checked through its tests.
check_tidy() {
  local stamp=$work/tidy.sum sum
  sum=$({ our_sources | sort -z | xargs -0 cat; cat .clang-tidy; } | sha256sum)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ]; then
    echo "nothing has changed since it passed"
    return 0
  fi
  find src kernels -name '*.cpp' ! -name isa_entry.cpp -print0 |
    xargs -0 -P "$jobs" -n 1 clang-tidy-14 -p "$release" --quiet --extra-arg=-Wno-unknown-warning-option \
      2> >(grep -v ' warnings generated\.$' >&2) && echo "$sum" >"$stamp"
}

# The kernels' tests go through all instruction sets by themselves; here whole models run on each.
test_isa() {
  local isa=$1 report result=0
  if ! GLASSGPT_ISA=$isa "$release/bin/glassgpt" info >/dev/null 2>&1; then
    echo "$isa: skipped, not built or not a feature of this CPU"
    return 0
  fi
  report=$(
    export GLASSGPT_ISA=$isa OMP_WAIT_POLICY=passive
    "$release/bin/model_test" --gtest_brief=1 || exit 1
    "$release/bin/glassgpt_kernels_tests" --gtest_brief=1 --gtest_filter='*GemmOnBackend*:Gemm.*:Dispatch*' || exit 1
  ) || result=1
  printf '%s:\n%s\n' "$isa" "$report"
  return $result
}

sweep_isas() {
  export release
  export -f test_isa
  printf '%s\n' scalar sse2 avx2 avx512 avx512bf16 amx neon64 | xargs -P "$jobs" -I{} bash -c 'test_isa {}'
}

build_preset() {
  local preset=$1
  shift
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake --log-level=WARNING --preset "$preset" -B "$work/$preset" "${launcher[@]}" &&
    cmake --build "$work/$preset" --parallel "$jobs" "$@"
}

test_asan_ubsan() {
  build_preset asan-ubsan &&
    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS="suppressions=$root/tests/leaks.supp:print_suppressions=0" \
      ctest --test-dir "$work/asan-ubsan" --parallel "$jobs" --output-on-failure --no-tests=error
}

# The tests whose name says that they use threads; the others would only run slower.
test_tsan() {
  build_preset tsan --target glassgpt_kernels_tests model_test tokenizer_test train_tests cli_test glassgpt &&
    TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" \
      OMP_TOOL_LIBRARIES=/usr/lib/llvm-14/lib/libarcher.so \
      ctest --test-dir "$work/tsan" --output-on-failure --no-tests=error -R 'Thread'
}

show_skipped() {
  local log=$release/Testing/Temporary/LastTest.log
  grep -qE 'Skipped$|^SKIPPED ' "$log" 2>/dev/null || return 0
  printf '\nSkipped tests and why:\n'
  # GoogleTest: "FILE:LINE: Skipped" is followed by the reason and then by "[  SKIPPED ] NAME". pytest: "SKIPPED [COUNT] FILE:LINE: REASON".
  awk '/: Skipped$/ {getline reason} /^\[  SKIPPED \] .*\)$/ {print "  " $4 ": " reason} /^SKIPPED / {sub(/^SKIPPED /, "  "); print}' "$log"
}

run_release_tests() {
  local output=$work/ctest.txt result
  ctest --test-dir "$release" --parallel "$jobs" --output-on-failure --no-tests=error | tee "$output"
  result=${PIPESTATUS[0]}
  show_skipped
  return "$result"
}

mkdir -p "$work"
stage "packages" install_packages || exit 1
stage "release build, warnings are errors" build_release || exit 1
stage "clang-format" check_format
stage "every instruction set" sweep_isas
stage "clang-tidy" check_tidy
if ! $quick; then
  stage "address and undefined-behaviour sanitizers, fuzzing" test_asan_ubsan
  stage "thread sanitizer" test_tsan
fi
stage "all tests of the release build" run_release_tests

if ((${#failed[@]})); then
  printf '\nFAILED after %d s: %s\n' "$SECONDS" "$(printf '%s; ' "${failed[@]}")"
else
  printf '\nAll stages passed in %d s.\n' "$SECONDS"
fi
# CTest's own summary comes last.
printf '\n'
sed -n '/tests passed/,$p' "$work/ctest.txt"
((${#failed[@]} == 0))
