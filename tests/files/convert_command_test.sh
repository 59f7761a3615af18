#!/usr/bin/env bash
# Exit codes and files of `tinyllm convert` and `tinyllm quantize`, on a model with one bad argument at a time.
set -u
[ -n "${TINYLLM:-}" ] || { echo "skipped: TINYLLM does not name the command"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect CODE WORD COMMAND...: the exit code, and a word of its one line on standard error
expect() {
    local code=$1 word=$2
    shift 2
    "$TINYLLM" "$@" >"$work/out" 2>"$work/err"
    local found=$?
    if [ "$found" != "$code" ] || ! grep -q -- "$word" "$work/err" "$work/out"; then
        echo "FAILED: tinyllm $*: exit status $found, expected $code and '$word':"
        cat "$work/out" "$work/err"
        failures=$((failures + 1))
    fi
    if [ "$code" != 0 ] && [ "$(wc -l <"$work/err")" != 1 ]; then
        echo "FAILED: tinyllm $*: an error is one line, found $(wc -l <"$work/err")"
        failures=$((failures + 1))
    fi
}

golden=$TINYLLM_SOURCE_DIR/tests/files/golden
expect 3 "absent" convert "$work/absent" "$work/x.gguf"
expect 4 "toy" convert "$golden/single" "$work/x.gguf"
expect 4 "toy" quantize "$golden/toy.gguf" "$work/x.gguf" --type q8_0
expect 2 "q9_0" quantize "$golden/toy.gguf" "$work/x.gguf" --type q9_0
expect 2 "q9_0" convert "$golden/toy.gguf" "$work/x.gguf" --dtype q9_0
expect 2 "dry-run" quantize "$golden/toy.gguf" --type q8_0
expect 2 "REGEX=TYPE" quantize "$golden/toy.gguf" "$work/x.gguf" --type q8_0 --tensor-type token_embd
head -c 100 "$golden/toy.gguf" >"$work/cut.gguf"
expect 7 "cut.gguf" quantize "$work/cut.gguf" "$work/x.gguf" --type q8_0
[ ! -e "$work/x.gguf" ] || { echo "FAILED: an error left a file"; failures=$((failures + 1)); }

expect 2 "either --type or a goal" quantize "$golden/toy.gguf" "$work/x.gguf"
expect 2 "either --type or a goal" quantize "$golden/toy.gguf" "$work/x.gguf" --type q8_0 --target-size 0.5
expect 2 "belong together" quantize "$golden/toy.gguf" "$work/x.gguf" --min-accuracy 0.9
expect 2 "Q4_K_M" quantize "$golden/toy.gguf" "$work/x.gguf" --type Q4_K_XL

model=$TINYLLM_SOURCE_DIR/tests/fuzz/corpus/gguf/llama
cp "$model" "$work/llama.gguf"
expect 0 "bits/weight" convert "$work/llama.gguf" "$work/f16.gguf" --dtype f16 --verify
expect 0 "no multiple of" quantize "$work/llama.gguf" "$work/q8.gguf" --type q8_0
expect 0 '"schema": *"tinyllm.quantize/1"' quantize "$work/llama.gguf" --type f16 --dry-run --json
expect 0 "ffn_up" quantize "$work/llama.gguf" "$work/csv.gguf" --type f16 --format csv
[ "$(head -1 "$work/out" | cut -d, -f1)" = tensor ] || { echo "FAILED: csv header: $(head -1 "$work/out")"; failures=$((failures + 1)); }
# The corpus's rows fit no block of 256.
expect 2 "--fallback" quantize "$work/llama.gguf" "$work/mix.gguf" --type Q4_K_M
expect 2 "--fallback" quantize "$work/llama.gguf" "$work/mix.gguf" --type q4_k_m
[ ! -e "$work/mix.gguf" ] || { echo "FAILED: a refused mixture left a file"; failures=$((failures + 1)); }
expect 0 "no multiple of" quantize "$work/llama.gguf" "$work/mix.gguf" --type Q4_K_M --fallback
expect 0 "bits/weight" quantize "$work/llama.gguf" "$work/head.gguf" --type f16 --output-tensor-type f32 --token-embedding-type f32
expect 2 "SIZE\|target-size" quantize "$work/llama.gguf" --dry-run --target-size tiny
expect 8 "the smallest mix has" quantize "$work/llama.gguf" --dry-run --target-size 100
expect 3 "absent" quantize "$work/llama.gguf" --dry-run --type q4_0 --imatrix "$work/absent"
expect 7 "cut.gguf" quantize "$work/llama.gguf" --dry-run --type q4_0 --imatrix "$work/cut.gguf"
expect 2 "-o FILE" imatrix "$work/llama.gguf" -f "$work/cut.gguf"
if [ -w /dev/full ]; then
    expect 1 "No space left" convert "$work/llama.gguf" /dev/full
    [ -c /dev/full ] || { echo "FAILED: /dev/full was replaced"; failures=$((failures + 1)); }
fi
expect 1 "No such file" convert "$work/llama.gguf" "$work/absent/x.gguf"
[ "$(find "$work" -name '*.tmp' | wc -l)" = 0 ] || { echo "FAILED: a temporary file stayed"; failures=$((failures + 1)); }
exit $((failures > 0))
