#!/usr/bin/env bash
# Runs every fuzz target of the module in turn, for the given time each, and names
# those that failed. Changes nothing but Go's fuzz cache; a failing input is left in
# testdata/fuzz beside its test, where `go test` finds it from then on.
# Usage: fuzz.sh [TIME (20s) [PATTERN of the target]]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
pattern=${2:-.}
failed=()
mapfile -t targets < <(grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . |
	sed 's|/[^/]*:func | |' | sort | grep -e "$pattern")
for target in "${targets[@]}"; do
	read -r dir name <<<"$target"
	echo "== $dir $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" || failed+=("$dir $name")
done
if ((${#failed[@]})); then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
