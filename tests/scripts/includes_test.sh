#!/usr/bin/env bash
# The tree keeps the rooms apart, and the check that says so sees each kind of breach.
set -euo pipefail
check=$TINYLLM_SOURCE_DIR/tools/check_includes.sh
bash "$check"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{include/tinyllm,kernels/cpu,kernels/ref,engine,architectures,tools}
touch "$tree"/{include/tinyllm/model.h,kernels/backend.h,kernels/cpu/pool.h,engine/weights.h,architectures/llama.h,tools/command.h}
bash "$check" "$tree" >/dev/null

refused() {
    local file=$tree/$1
    echo "#include $2" >"$file"
    if bash "$check" "$tree" >"$tree/said" || ! grep -q "^$1:1: " "$tree/said"; then
        echo "not refused: $1 with $2"
        exit 1
    fi
    rm "$file"
}
refused kernels/quant.cpp '"engine/weights.h"'
refused kernels/ref/ops.cpp '"kernels/cpu/pool.h"'
refused engine/model.cpp '"kernels/cpu/pool.h"'
refused engine/model.cpp '"architectures/llama.h"'
refused architectures/gpt2.cpp '"architectures/llama.h"'
refused architectures/gpt2.cpp '"llama.h"'
refused tools/main.cpp '"engine/weights.h"'
refused include/tinyllm/session.h '"kernels/backend.h"'
refused include/tinyllm/session.h '<fmt/format.h>'
