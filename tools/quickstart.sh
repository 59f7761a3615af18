#!/usr/bin/env bash
# From a fresh clone to the study: installs the packages that are missing, builds, runs `tinyllm study` on the embedded models.
# Further arguments go to `tinyllm study`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

bash "$root/tools/setup.sh" build
options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON -DTINYLLM_TESTS=OFF)
if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
cmake -S "$root" -B "$build" -G Ninja "${options[@]}" >/dev/null
cmake --build "$build"

cd "$root"
exec "$build/tools/tinyllm" study "$@"
