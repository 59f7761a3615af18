#!/usr/bin/env bash
# Installs the Debian packages that a purpose needs and this machine lacks: setup.sh build|test|ci ...
# Prints nothing and touches nothing when all are there. Debian 12, Ubuntu 22.04, Raspberry Pi OS 12.
set -euo pipefail

# A row is `command:package` (any source of the command will do) or a package alone; `package?` is done without where the system has none
# (Ubuntu's Chromium is a snap: the tests that need a browser skip themselves there).
build=(g++:g++ cmake:cmake ninja:ninja-build pkg-config:pkg-config
       libpcre2-dev libutf8proc-dev libfmt-dev nlohmann-json3-dev libcli11-dev libyaml-cpp-dev libcurl4-openssl-dev)
test=("${build[@]}" libgtest-dev libbenchmark-dev python3:python3 ccache:ccache parallel:parallel)
ci=("${test[@]}" g++-11:g++-11 g++-12:g++-12 clang++-14:clang-14 clang-format:clang-format shellcheck:shellcheck
    aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-aarch64:qemu-user 'chromedriver:chromium-driver?')

rows=()
for purpose in "$@"; do
    case $purpose in
        build) rows+=("${build[@]}") ;;
        test) rows+=("${test[@]}") ;;
        ci) rows+=("${ci[@]}") ;;
        *) echo "setup.sh: unknown purpose '$purpose', expected build, test or ci" >&2; exit 2 ;;
    esac
done

missing=() optional=()
for row in "${rows[@]}"; do
    package=${row#*:}
    if [[ $row == *:* ]]; then
        command -v "${row%%:*}" >/dev/null && continue
    elif [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true) == "install ok installed" ]]; then
        continue
    fi
    if [[ $package == *\? ]]; then optional+=("${package%\?}"); else missing+=("$package"); fi
done
known() { apt-cache show "$1" >/dev/null 2>&1; }
if ((!${#missing[@]})); then
    for package in "${optional[@]}"; do known "$package" || optional=(); done
    ((${#optional[@]})) || exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "setup.sh: this is no Debian system; install what these packages hold: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: neither root nor sudo; as root run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing ${missing[*]} ${optional[*]}"
"${as_root[@]}" apt-get update -qq || echo "setup.sh: apt-get update failed; going on with the package lists at hand" >&2
for package in "${optional[@]}"; do
    if known "$package"; then missing+=("$package"); else echo "This system has no package $package; going on without"; fi
done
((${#missing[@]})) || exit 0
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
