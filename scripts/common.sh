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

# Restored data belongs to an account without rights (rad-plugin), which has to reach the programs
# that are built here. In a clone below a closed directory, /root for one, it cannot: then the
# script runs again in a mount namespace of its own that shows the tree at a path open to all.
reachable() {
  local directory=$top
  while [ "$directory" != / ]; do
    (($(stat -c %a "$directory") % 2)) || return 1
    directory=$(dirname "$directory")
  done
}
if [ "$(id -u)" = 0 ] && [ -z "${RAD_TREE_SHOWN:-}" ] && ! reachable; then
  shown=/var/tmp/rad-agent-tree-$(cksum <<< "$top" | cut -d ' ' -f 1)
  say "'$top' is closed to other accounts: working at $shown, which shows the same files"
  chmod o+x "$top"
  [ -d "$shown" ] || mkdir -m 755 "$shown"
  status=0
  script=$(realpath "$0")
  # shellcheck disable=SC2016 # expanded by the inner shell
  RAD_TREE_SHOWN=1 unshare --mount -- bash -c '
    mount --bind "$1" "$2" && cd "$2" && script=$2/$3 && shift 3 && exec bash "$script" "$@"' \
    reach "$top" "$shown" "${script#"$top"/}" "$@" || status=$?
  rmdir "$shown" 2>/dev/null || true
  exit "$status"
fi

# build PRESET [TARGET...]: configures once and builds.
build() {
  local preset=$1
  shift
  export CCACHE_BASEDIR="$top" CCACHE_NOHASHDIR=1
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >&2
  cmake --build --preset "$preset" -j "$(nproc)" -- --quiet "$@" >&2
}
