#!/usr/bin/env bash
# Installs the library, static and shared, and builds consumer.cpp against each: by find_package and by pkg-config.
# The installed tree is moved before it is used: a package holds no path of its build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$TINYLLM_BUILD_DIR

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
if [[ -n $(cached TINYLLM_SANITIZE) || -n $(cached CMAKE_TOOLCHAIN_FILE) ]]; then
    echo "the package is tested from native builds without sanitizers"
    exit 77
fi
compiler=$(cached CMAKE_CXX_COMPILER)
launcher=$(cached CMAKE_CXX_COMPILER_LAUNCHER)
work=${build}_package  # beside the build: other tests look through that
mkdir -p "$work"
# pkg-config's two implementations quote a space in a package's own path each in its way; none is in this one.
trees=$(mktemp -d)
trap 'rm -rf "$trees"' EXIT

model=$TINYLLM_SOURCE_DIR/$(cd "$TINYLLM_SOURCE_DIR" && find tools/embedded -name config.json -printf '%h\n' 2>/dev/null | sort | head -n 1)

# What the program must say: the text of a model, or, given none, one line with the word for it and a failure.
check() {
    local program=$1
    if "$program" "$work/no such model" >/dev/null 2>"$work/stderr"; then
        echo "$program: loaded a model that is not there"
        exit 1
    fi
    grep -q "no such model" "$work/stderr" || { cat "$work/stderr"; exit 1; }
    if [[ -f $model/config.json ]]; then
        "$program" "$model" "The" >"$work/text"
        [[ $(wc -c <"$work/text") -gt 10 ]] || { echo "$program: no text"; exit 1; }
    fi
}

is_shared=$(cached BUILD_SHARED_LIBS)
for kind in static shared; do
    shared=$(if [[ $kind == shared ]]; then echo ON; else echo OFF; fi)
    from=$build
    # The library alone, since the command is built from the same objects beside it; fast is the other one.
    if [[ $shared != "$is_shared" ]]; then
        from=$work/build_$kind
        cmake -S "$TINYLLM_SOURCE_DIR" -B "$from" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
            -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" -DBUILD_SHARED_LIBS="$shared" \
            -DTINYLLM_WERROR="$(cached TINYLLM_WERROR)" -DTINYLLM_CUDA="$(cached TINYLLM_CUDA)" \
            -DCMAKE_UNITY_BUILD="$(cached CMAKE_UNITY_BUILD)" -DTINYLLM_TOOLS=OFF -DTINYLLM_TESTS=OFF >/dev/null
        cmake --build "$from" >/dev/null
    fi
    cmake --install "$from" --prefix "$trees/installed" >/dev/null
    mv "$trees/installed" "$trees/$kind"

    cmake -S "$here" -B "$trees/$kind/find_package" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
        -DCMAKE_PREFIX_PATH="$trees/$kind" >/dev/null
    cmake --build "$trees/$kind/find_package" >/dev/null
    check "$trees/$kind/find_package/consumer"

    PKG_CONFIG_PATH=$(dirname "$(find "$trees/$kind" -name tinyllm.pc)")
    export PKG_CONFIG_PATH
    ask=(pkg-config --cflags --libs tinyllm)
    if [[ $kind == static ]]; then ask+=(--static); fi
    flags=()
    eval "flags=($("${ask[@]}"))"  # pkg-config quotes for the shell what holds a space
    "$compiler" -std=c++20 "$here/consumer.cpp" "${flags[@]}" -Wl,-rpath,"$(dirname "$PKG_CONFIG_PATH")" \
        -o "$trees/$kind/pkg_config"
    check "$trees/$kind/pkg_config"

    if [[ -x $trees/$kind/bin/tinyllm ]]; then "$trees/$kind/bin/tinyllm" --version >/dev/null; fi
    echo "$kind: found by CMake and by pkg-config, linked, run"
done
