#!/usr/bin/env bash
# Installs what the tests need, builds, runs them all. The last line is `N passed, N failed`, with `, N skipped` if any were.
# Exit status 1 if one failed. TINYLLM_PRESET (release, debug, tsan, gcc11, …) chooses the build, TINYLLM_TEST_REGEX the tests,
# TINYLLM_TEST_EXCLUDE those of them that are left out, arguments the targets to build (default: all).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${TINYLLM_PRESET:-release}
build=$root/build/$preset

bash "$root/tools/setup.sh" test
options=(-DTINYLLM_TESTS=ON)
if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
(cd "$root" && cmake --preset "$preset" "${options[@]}" >/dev/null)
cmake --build "$build" ${1:+--target "$@"}

results=$build/test_results.xml
rm -f "$results"
status=0
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(nproc)" --output-junit "$results" \
    -R "${TINYLLM_TEST_REGEX:-.}" -E "${TINYLLM_TEST_EXCLUDE:-^$}" || status=$?

# Counted from ctest's own record, where a test is run, fail or notrun, the last either skipped or without a program.
passed=$(grep -c '<testcase .*status="run"' "$results" || true)
skipped=$(grep -cE '<skipped message="(SKIP_RETURN_CODE|SKIP_REGULAR_EXPRESSION)' "$results" || true)
failed=$(($(grep -c '<testcase ' "$results" || true) - passed - skipped))
line="$passed passed, $failed failed"
if ((skipped)); then line+=", $skipped skipped"; fi
echo "$line"
exit $((status != 0 || failed != 0))
