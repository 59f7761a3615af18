#!/usr/bin/env bash
# Cross builds for 64-bit Arm and runs the C++ tests under qemu: the kernels' on a Cortex-A72 (armv8.0), a Cortex-A76 (dot product)
# and a CPU with everything qemu knows (8-bit matrix products), the others on the A76; but not what takes qemu long: the embedded models'
# whole question sets and the golden models on the reference's kernels.
# The last line is `N passed, N failed`.
# The arm64 libraries are Debian's, unpacked under build/ rather than installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/aarch64
sysroot=$root/build/aarch64-sysroot

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "test_aarch64.sh: $tool is missing (bash tools/setup.sh ci)" >&2; exit 1; }
done

if [[ ! -f $sysroot/complete ]]; then
    packages=(libpcre2-8-0 libpcre2-dev libutf8proc2 libutf8proc-dev libfmt9 libfmt-dev
              nlohmann-json3-dev libcli11-dev libyaml-cpp0.7 libyaml-cpp-dev libgtest-dev libgmock-dev)
    state=$root/build/aarch64-apt
    mkdir -p "$sysroot" "$state/lists/partial" "$state/archives/partial"
    apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$state" -o Dir::State::status=/dev/null
         -o Dir::Cache="$state" -o APT::Sandbox::User=root)
    "${apt[@]}" update
    (cd "$state" && "${apt[@]}" download "${packages[@]}")
    for package in "$state"/*.deb; do dpkg-deb -x "$package" "$sysroot"; done
    touch "$sysroot/complete"
fi

options=(-DTINYLLM_WERROR=ON -DTINYLLM_TESTS=ON)
if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
(cd "$root" && cmake --preset aarch64 "${options[@]}" >/dev/null)
cmake --build "$build"

# run PROGRAM CPU [TESTS LEFT OUT]: leaves what it prints in a log of the run's own.
logs=$build/qemu
# shellcheck disable=SC2317  # reached through xargs
run() {
    # The CUDA kernels' emulation knows nothing of the CPU.
    local without="EmbeddedResults.*:*cuda_emulated*:Cuda*${3:+:$3}" name
    name=$(basename "$1")-$2
    qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu "$2" "$1" --gtest_brief=1 --gtest_filter="-$without" >"$logs/$name" 2>&1 || true
    echo "$name: $(grep -oE '[0-9]+ tests from .*' "$logs/$name" || echo 'broke off')"
}
export -f run
export logs
rm -rf "$logs"
mkdir "$logs"
for program in "$build"/tests/*_tests; do
    if [[ $program == */kernels_tests ]]; then
        printf '%s\0' "$program" cortex-a72 ''
        # What every core has was tested on the first: the others add the kernels for what they have besides.
        printf '%s\0' "$program" cortex-a76 '*/scalar:*/neon'
        printf '%s\0' "$program" max '*/scalar:*/neon:*/neon_dotprod'
    elif [[ $program == */golden_tests ]]; then
        printf '%s\0' "$program" cortex-a76 '*_ref'
    else
        printf '%s\0' "$program" cortex-a76 ''
    fi
done | xargs -0 -n 3 -P "$(nproc)" bash -c 'run "$@"' run

passed=0 failed=0 skipped=0
for log in "$logs"/*; do
    count() { sed -n "s/^\[  $1  \] \([0-9]*\) test.*/\1/p" "$log" | head -n 1; }
    ok=$(count PASSED) bad=$(count FAILED) out=$(count SKIPPED)
    if [[ -z $ok || -n $bad ]]; then
        cat "$log"
        failed=$((failed + ${bad:-1}))
    fi
    passed=$((passed + ${ok:-0})) skipped=$((skipped + ${out:-0}))
done

line="$passed passed, $failed failed"
if ((skipped)); then line+=", $skipped skipped"; fi
echo "$line"
exit $((failed != 0))
