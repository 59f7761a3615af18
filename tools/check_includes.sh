#!/usr/bin/env bash
# Which room may include which (the table stands in CONTRIBUTING.md). Prints every breach; exit status 1 if there is one.
# check_includes.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

# What a file of a folder may include, as an extended regular expression over paths from the root.
allowed() {
    local public='include/tinyllm/[^/]+\.h' kernels='kernels/[^/]+\.h'
    case $1 in
        include/*) echo "$public" ;;
        kernels/*/*)
            local device=${1#kernels/}
            echo "$public|$kernels|kernels/${device%%/*}/.*" ;;
        kernels/*) echo "$public|$kernels" ;;
        tokenizers/*) echo "$public|tokenizers/.*|engine/(fail|mapped_file|gguf|hf_folder|json|printable)\.h" ;;
        engine/*) echo "$public|$kernels|engine/.*|tokenizers/(gguf_)?tokenizers?\.h" ;;
        architectures/*) echo "$public|$kernels|engine/.*" ;;
        tools/*) echo "$public|tools/.*|engine/fail\.h" ;;
        *) echo '.*' ;;
    esac
}

rooms=()
for room in include kernels engine tokenizers architectures tools; do
    if [[ -d $room ]]; then rooms+=("$room"); fi
done

breaches=0
complain() {
    echo "$1: $2"
    breaches=$((breaches + 1))
}

while IFS=: read -r file line text; do
    included=${text#*\"}
    included=${included%%\"*}
    # As the compiler looks: beside the file, from the root, in include/.
    if [[ -f ${file%/*}/$included ]]; then
        path=${file%/*}/$included
    elif [[ -f $included ]]; then
        path=$included
    elif [[ -f include/$included ]]; then
        path=include/$included
    else
        continue  # generated, or another library's
    fi
    [[ $path =~ ^($(allowed "$file"))$ ]] || complain "$file:$line" "may not include $path"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.cpp' --include='*.h' --include='*.inl' --include='*.cu' \
             "${rooms[@]}")

# Public headers stand on the standard library alone: <name> without a folder or an extension.
while IFS=: read -r file line text; do
    complain "$file:$line" "a public header includes ${text#*include } beyond the standard library"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' --include='*.h' include | grep -vE '<[a-z_]+>' || true)

((breaches == 0)) && echo "Includes are as the rooms allow." || exit 1
