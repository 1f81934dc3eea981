# shellcheck shell=bash
# Shared by the scripts in this directory.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
# shellcheck disable=SC2034 # For the scripts that read this file.
venv=$root/.venv
mkdir -p "$cache"

say() {
    printf '==> %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Run a command with its output in a log file; show the log's end when it fails.
logged() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        fail "failed: $* (whole output: $log)"
    fi
}

# apt_install REASON PACKAGE...: only on Debian's family and only as root, after saying so.
apt_install() {
    local reason=$1
    shift
    if ! have apt-get; then
        fail "$reason. Install: $* (or what your distribution calls them), then run make again."
    fi
    if [ "$(id -u)" != 0 ]; then
        fail "$reason. Run as root: apt-get install --no-install-recommends $* - then run make again."
    fi
    say "$reason: installing Debian's packages $*"
    export DEBIAN_FRONTEND=noninteractive
    logged "$cache/apt-update.log" apt-get -q update
    logged "$cache/apt-install.log" apt-get -q -y --no-install-recommends install "$@"
}
