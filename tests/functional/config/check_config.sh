#!/bin/bash
# check_config.sh AGENT SOURCE_DIR: the examples fit the plugins, mistakes are told with exit 2.
set -u
agent=$1 source=$2
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# expect CODE WHAT COMMAND...
expect() {
  local code=$1 what=$2
  shift 2
  "$@" >"$out" 2>&1
  local got=$?
  if [ "$got" -ne "$code" ]; then
    echo "FAIL: $what: exit $got, expected $code"
    cat "$out"
    failed=1
  fi
}
# contains TEXT WHAT: of the last command's output
contains() {
  grep -qF -- "$1" "$out" || { echo "FAIL: $2: '$1' not found in:"; cat "$out"; failed=1; }
}

for example in minimal.yaml full/rad.yaml all-options.yaml; do
  expect 0 "$example" "$agent" --config "$source/configs/$example" check-config
done

mistakes=$source/tests/golden/config/ten-mistakes.yaml
expect 2 mistakes "$agent" --config "$mistakes" check-config
count=$(grep -cE '^error: .*\.yaml:[0-9]+:[0-9]+: ' "$out")
[ "$count" -ge 10 ] || { echo "FAIL: $count errors with line and column, expected 10"; failed=1; }

expect 2 "missing file" "$agent" --config /nonexistent/rad.yaml check-config
contains "/nonexistent/rad.yaml" "missing file"
expect 0 "explain" "$agent" explain targets.schedules.cron
contains "five fields" "explain"
expect 2 "explain of nothing" "$agent" explain no.such.key
exit $failed
