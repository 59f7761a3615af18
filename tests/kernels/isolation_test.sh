#!/usr/bin/env bash
# A kernel object may define nothing weak outside its own namespace: the linker keeps one copy of a weak function for the whole
# program, and that copy could hold instructions the CPU at hand does not have. (Sanitizers make gcc add a weak pointer, which holds none.)
set -euo pipefail
command -v nm >/dev/null || { echo "no nm here"; exit 77; }
checked=0 bad=0
while read -r object; do
    isa=$(sed -E 's/.*tinyllm_kernels_([a-z0-9_]+)\.dir.*/\1/' <<<"$object")
    symbols=$(nm -C --defined-only "$object")
    grep -q "tinyllm::cpu::$isa::float_tile" <<<"$symbols" || { echo "$object: no kernels of $isa"; bad=1; }
    if stray=$(grep -E '^[0-9a-f]+ [WVu] ' <<<"$symbols" | grep -vE "tinyllm::cpu::$isa::|DW\.ref\.__gxx_personality_v0$"); then
        echo "$object: $stray"
        bad=1
    fi
    checked=$((checked + 1))
done < <(find "${TINYLLM_BUILD_DIR:?}" -path '*tinyllm_kernels_*' -name '*.o')
[[ $checked -gt 0 ]] || { echo "no kernel objects under $TINYLLM_BUILD_DIR"; exit 77; }
echo "$checked kernel objects"
exit $bad
