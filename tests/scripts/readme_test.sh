#!/usr/bin/env bash
# What the documents claim of the tree: every relative link leads to a file, and the README's program is the one the package test builds.
set -euo pipefail
cd "$TINYLLM_SOURCE_DIR"
status=0
while IFS=: read -r file link; do
    link=${link#*](} link=${link%)}
    [[ -e ${file%/*}/$link ]] || { echo "$file: no such file: $link"; status=1; }
done < <(find . -name '*.md' -not -path './build*' -print0 | xargs -0 grep -HoE '\]\([A-Za-z0-9_-]*[./][A-Za-z0-9_./-]*\)')

program=$(awk '/^...cpp$/ { on = 1; next } /^...$/ { on = 0 } on' README.md)
[[ $program == "$(cat tests/package/consumer.cpp)" ]] || { echo "README.md: its program is not tests/package/consumer.cpp"; status=1; }
exit "$status"
