# Sourced by the scripts here; not run by itself.
# shellcheck shell=bash
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

say() { printf '\n== %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 2
}

# build PRESET [TARGET...]: configures once and builds.
build() {
  local preset=$1
  shift
  export CCACHE_BASEDIR="$top" CCACHE_NOHASHDIR=1
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >&2
  cmake --build --preset "$preset" -j "$(nproc)" -- --quiet "$@" >&2
}
